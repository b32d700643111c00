// The update: the rule's formula over every cell, with the modifiers behind it. The last workgroup advances the step.
import update from "../../../shaders/update.wgsl?raw";
import { partials } from "./bindings.ts";
import { cellBindings, cellParts, ruleName } from "./cell.ts";
import { advancePart, modifiedPart } from "./generate.ts";
import { arrivePart, file } from "./snippets.ts";
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
        parts: [
          ...cellParts(context),
          modifiedPart(context),
          ...context.modifiers
            .filter(({ hooks }) => hooks.some((hook) => hook !== "gradient"))
            .flatMap(({ parts }) => parts),
          advancePart(context),
          arrivePart,
          file("update", update),
        ],
      }),
    },
  ],
};
