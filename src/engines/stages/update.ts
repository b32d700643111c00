// The update: the rule's formula over every cell, then the modifiers. The last workgroup advances the step.
import begin from "../../../shaders/slots_begin.wgsl?raw";
import zero from "../../../shaders/slots_zero.wgsl?raw";
import update from "../../../shaders/update.wgsl?raw";
import type { RuleSet } from "../../optimizer/plan.ts";
import { partials } from "./bindings.ts";
import { cellBindings, cellSnippets, ruleName } from "./cell.ts";
import { advanceSnippet, modifiedSnippet } from "./generate.ts";
import { arriveSnippet, file } from "./snippets.ts";
import type { Stage } from "./stage.ts";

const slotsBegin = file("slots_begin", begin);
const slotsZero = file("slots_zero", zero);

/** Whether a slot starts with a value other than zero; a modifier's starts as the parameter. */
const beginsSlots = ({ rule, slots }: RuleSet) =>
  slots.some((slot) => !rule.slots.includes(slot) || (rule.starts?.[slot] ?? 0) !== 0);

export const updateStage: Stage = {
  name: "update",
  passes: [
    {
      name: "update",
      each: "launch",
      bindings: (context) => [
        ...cellBindings(context),
        ...(context.plan.modifiers.some(({ partials: sums }) => sums) ? [partials] : []),
      ],
      source: (context) => ({
        name: ruleName(context),
        snippets: [
          ...cellSnippets(context),
          modifiedSnippet(context),
          ...context.plan.modifiers
            .filter(({ hooks }) => hooks.some((hook) => hook !== "gradient"))
            .flatMap(({ snippets }) => snippets),
          advanceSnippet(context),
          beginsSlots(context.ruleSet) ? slotsBegin : slotsZero,
          arriveSnippet,
          file("update", update),
        ],
      }),
    },
  ],
};
