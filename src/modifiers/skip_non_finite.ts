// Skips updates with a gradient that is not finite.

import { readBoolean } from "../base/options.ts";
import { normStage } from "../engines/stages/norm.ts";
import { defineModifier, type ModifierNotes, type SwitchFunction } from "./modifier.ts";

/**
 * Leaves parameters, slots and step unchanged when any gradient is not finite, and counts it as skipped. Clipping and loss
 * scaling turn it on; `skipNonFinite(false)` keeps it off with clipping.
 */
export const skipNonFinite = /* @__PURE__ */ defineModifier<{ readonly on: boolean }, SwitchFunction>({
  name: "skipNonFinite",
  key: "skipNonFinite",
  order: 30,
  argument: "on",
  read: (owner, value) => (value === undefined ? undefined : { on: readBoolean(owner, value) }),
  json: ({ on }) => on,
  effects: ({ on }) => ({ skips: on, step: normStage }),
});

/** Its entry in docs/rules.md. */
export const skipNonFiniteNotes: ModifierNotes = {
  call: "skipNonFinite()",
  effect: "leaves everything as it is when a gradient is not finite, and counts the step as skipped",
  source: "torch.amp.GradScaler",
  costs: [{ option: "`skipNonFinite`", examples: [{ skipNonFinite: true }], dispatches: 2, state: "0", moved: "4" }],
};
