// The update: the rule's formula over every cell, then the modifiers. The last workgroup advances the step.
import update from "../../../shaders/update.wgsl?raw";
import { partials } from "./bindings.ts";
import { cellBindings, cellSnippets, ruleName } from "./cell.ts";
import { advanceSnippet, modifiedSnippet } from "./generate.ts";
import { arriveSnippet, file } from "./snippets.ts";
import type { Stage } from "./stage.ts";

export const updateStage: Stage = {
  name: "update",
  passes: [
    {
      name: "update",
      each: "launch",
      bindings: (context) => [
        ...cellBindings(context),
        ...(context.modifiers.some(({ files }) => files) ? [partials] : []),
      ],
      source: (context) => ({
        name: ruleName(context),
        snippets: [
          ...cellSnippets(context),
          modifiedSnippet(context),
          ...context.modifiers
            .filter(({ hooks }) => hooks.some((hook) => hook !== "gradient"))
            .flatMap(({ snippets }) => snippets),
          advanceSnippet(context),
          arriveSnippet,
          file("update", update),
        ],
      }),
    },
  ],
};
