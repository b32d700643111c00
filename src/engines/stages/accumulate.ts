// Adding gradients up, where several make one update.
import accumulate from "../../../shaders/accumulate.wgsl?raw";
import { controlRecord } from "../gpu/control.ts";
import { chunks, control, gradients, sizes } from "./bindings.ts";
import { placesSnippet, structsSnippet } from "./generate.ts";
import { arriveSnippet, chunkSnippet, file, loadSnippets, workgroupSnippet } from "./snippets.ts";
import { type Binding, linesOf, type Stage } from "./stage.ts";
import { chunkStruct, placesStruct, sizesStruct } from "./structs.ts";

const sums: Binding = { name: "sums", use: "write", type: "array<vec4f>" };

export const accumulateStage: Stage = {
  name: "accumulate",
  passes: [
    {
      name: "accumulate",
      each: "launch",
      raw: true,
      bindings: () => [sums, gradients, chunks, sizes, control],
      source({ access, modifiers }) {
        const blocks = linesOf(modifiers);
        const places = placesStruct(blocks);
        return {
          name: "accumulate",
          snippets: [
            structsSnippet(sizesStruct, controlRecord, chunkStruct(places)),
            workgroupSnippet,
            chunkSnippet,
            placesSnippet(places, blocks),
            loadSnippets[access],
            arriveSnippet,
            file("accumulate", accumulate),
          ],
        };
      },
    },
  ],
};
