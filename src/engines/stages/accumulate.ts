// Adding gradients up, where several make one update.
import accumulate from "../../../shaders/accumulate.wgsl?raw";
import { chunks, control, gradients, sizes } from "./bindings.ts";
import { rawSnippets } from "./cell.ts";
import { arriveSnippet, file } from "./snippets.ts";
import type { Binding, Stage } from "./stage.ts";

const sums: Binding = { name: "sums", use: "write", type: "array<vec4f>" };

export const accumulateStage: Stage = {
  name: "accumulate",
  passes: [
    {
      name: "accumulate",
      each: "launch",
      raw: true,
      bindings: () => [sums, gradients, chunks, sizes, control],
      source: (context) => ({
        name: "accumulate",
        snippets: [...rawSnippets(context), arriveSnippet, file("accumulate", accumulate)],
      }),
    },
  ],
};
