// An exponential moving average of the parameters.
import emaText from "../../shaders/modifiers/ema.wgsl?raw";
import { OptionError, show } from "../base/errors.ts";
import { describeRange, inRange, type Range, readBoolean, readNumber, readObject } from "../base/options.ts";
import { file } from "../engines/stages/snippets.ts";
import { createSchedule, type Schedule, type Scheduled } from "../schedules/schedule.ts";
import { defineModifier, type ModifierFunction, type ModifierNotes } from "./modifier.ts";

const range: Range = { min: 0, below: 1 };

/** An exponential moving average of the parameters, readable as role `"ema"`. */
export const ema = /* @__PURE__ */ defineModifier<
  { readonly decay: Schedule; readonly warmup: boolean },
  ModifierFunction<{
    /** The share of the average that each update keeps; in [0, 1), default 0.999. */
    readonly decay?: Scheduled | undefined;
    /** Whether update t (from 1) keeps at most t / (9 + t), so that early parameters do not linger; default true. */
    readonly warmup?: boolean | undefined;
  }>
>({
  name: "ema",
  key: "ema",
  order: 70,
  law: { decay: 0.9 },
  read(owner, value) {
    if (value === undefined || value === null) return undefined;
    const { decay = 0.999, warmup = true } = readObject(owner, value, ["decay", "warmup"]);
    if (typeof decay === "number") readNumber(`${owner}.decay`, decay, range);
    const schedule = createSchedule(decay as Scheduled, `${owner}.decay`);
    if (schedule.listeners) {
      throw new OptionError(`${owner}.decay is ${show(decay)}; a plateau can drive only a rule's hypers`);
    }
    return { decay: schedule, warmup: readBoolean(`${owner}.warmup`, warmup) };
  },
  json: ({ decay, warmup }) => ({ decay: decay.config, warmup }),
  effects: ({ decay, warmup }) => ({
    slots: ["ema"],
    columns: ["ema"],
    row(step) {
      const kept = decay.at(step);
      if (!inRange(kept, range)) {
        throw new OptionError(`ema.decay is ${show(kept)} at step ${step}; it must be ${describeRange(range)}`);
      }
      return { ema: 1 - (warmup ? Math.min(kept, (step + 1) / (step + 10)) : kept) };
    },
    evaluates: () => true,
    hooks: ["update"],
    snippets: [file("modifiers/ema", emaText)],
    twin: {
      update(x, _before, _g, row) {
        x.ema! += row.ema! * (x.p - x.ema!);
      },
    },
  }),
});

/** Its entry in docs/rules.md. */
export const emaNotes: ModifierNotes = {
  call: "ema({ decay, warmup })",
  effect: 'averages the parameters exponentially; `optimizer.read("ema")` has the average',
  source: "definition",
  costs: [{ option: "`ema`", examples: [{ ema: {} }], dispatches: 0, state: "4", moved: "8" }],
};
