// Cyclical learning rates (Smith 2017; torch.optim CyclicLR): from `base` up to `max` and down again, in each cycle as high
// as before (triangular), half as high (triangular2), or lower by gamma at every step (expRange).
import { refusal, show } from "../base/errors.ts";
import { choice, defineSchedule, number, optional, whole } from "./define.ts";

const modes = ["triangular", "triangular2", "expRange"] as const;

/** A triangle between `base` and `max`, again and again. */
export const cyclic = defineSchedule({
  type: "cyclic",
  formula:
    "base + (max - base) · s · h, where s goes 0 → 1 → 0 over each cycle of up + down steps and h is 1, 2^-(cycles done) or gamma^t by mode; down is up where it is left out",
  source: "Smith 2017; torch.optim CyclicLR",
  options: {
    /** The value at the start of each cycle. */
    base: number(),
    /** The highest value, >= `base`. */
    max: number(),
    /** Steps from `base` to `max`; a whole number >= 1. */
    up: whole(1),
    /** Steps from `max` back to `base`; a whole number >= 1; default `up`. */
    down: optional(whole(1)),
    /** How the height changes from cycle to cycle; default "triangular". */
    mode: choice(modes, "triangular"),
    /** With "expRange": the factor of the height at each step, > 0; default 1. */
    gamma: number({ above: 0 }, 1),
  },
  complete(name, values) {
    const { base, max, up, down } = values;
    if (max < base) throw refusal(`${name}.max`, max, `>= base, which is ${show(base)}`);
    return { ...values, down: down ?? up };
  },
  create({ base, max, up, down, mode, gamma }) {
    const total = up + down!;
    const top = up / total;
    // The order of operations is torch's, so that values near zero agree with it.
    return {
      at(step) {
        const cycle = Math.floor(1 + step / total);
        const x = 1 + step / total - cycle;
        const share = x <= top ? x / top : (x - 1) / (top - 1);
        const height = mode === "triangular" ? 1 : mode === "triangular2" ? 1 / 2 ** (cycle - 1) : gamma ** step;
        return base + (max - base) * share * height;
      },
    };
  },
});
