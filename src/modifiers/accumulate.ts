// Several gradients make one update, with their mean.

import { readNumber } from "../base/options.ts";
import { accumulateStage } from "../engines/stages/accumulate.ts";
import { type ArgumentFunction, defineModifier, type ModifierNotes } from "./modifier.ts";

/** Gradients (micro-batches) whose mean makes one update; whole, >= 1. */
export const accumulate = /* @__PURE__ */ defineModifier<{ readonly count: number }, ArgumentFunction<number>>({
  name: "accumulate",
  key: "accumulate",
  order: 0,
  argument: "count",
  law: 2,
  read(owner, value) {
    const count = value === undefined ? 1 : readNumber(owner, value, { min: 1, max: 65_536, integer: true });
    return count > 1 ? { count } : undefined;
  },
  json: ({ count }) => count,
  effects: ({ count }) => ({ accumulate: count, gather: accumulateStage, missed: missedMessage }),
});

function missedMessage(gradients: number): string {
  const were = gradients === 1 ? "1 gradient was" : `${gradients} gradients were`;
  return `${were} left out of accumulate's means, since an earlier encoder was dropped or submitted out of order; continue, and await stats() after dropping an encoder`;
}

/** Its entry in docs/rules.md. */
export const accumulateNotes: ModifierNotes = {
  call: "accumulate(k)",
  effect: "makes one update from the mean of k gradients (micro-batches); the schedule advances once",
  source: "definition",
  costs: [
    {
      option: "`accumulate`, for each gradient",
      examples: [{ accumulate: 4 }],
      dispatches: 1,
      state: "4",
      moved: "12",
    },
  ],
};
