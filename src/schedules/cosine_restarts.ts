// SGDR (Loshchilov and Hutter 2017): half a cosine over each cycle, the next cycle `mult` times as long (torch.optim
// CosineAnnealingWarmRestarts) and its height `decay` times that of the one before (as Keras' CosineDecayRestarts).
import { defineSchedule, number, whole } from "./define.ts";

/** With a `mult` below this, cycles are not counted one by one: there may be as many as steps. */
const closeTo1 = 1.01;

/** Cycle, steps since its start, and its length, from the sum of a geometric series. */
function cycleAt(step: number, period: number, mult: number): [cycle: number, since: number, length: number] {
  const rate = Math.log1p(mult - 1);
  const begin = (cycle: number) => (period * Math.expm1(cycle * rate)) / (mult - 1);
  const near = Math.max(0, Math.floor(Math.log1p((step * (mult - 1)) / period) / rate));
  // Rounding may make it one too many.
  const cycle = begin(near) > step ? near - 1 : near;
  return [cycle, step - begin(cycle), period * Math.exp(cycle * rate)];
}

/** Half a cosine from `base` down to `min`, again and again. */
export const cosineRestarts = defineSchedule({
  type: "cosineRestarts",
  formula:
    "min + (base - min) · decay^n · (1 + cos(π · s / (period · mult^n))) / 2, where t is the s-th step of the n-th cycle, both counted from 0",
  source: "Loshchilov and Hutter 2017; torch.optim CosineAnnealingWarmRestarts; decay as Keras CosineDecayRestarts",
  options: {
    /** The value at the start of the first cycle. */
    base: number(),
    /** The value that each cycle falls to; default 0. */
    min: number({}, 0),
    /** The length of the first cycle in steps; a whole number >= 1. */
    period: whole(1),
    /** The factor from one cycle's length to the next, >= 1; default 1. A cycle need not be a whole number of steps. */
    mult: number({ min: 1 }, 1),
    /** The factor from one cycle's height over `min` to the next, in (0, 1]; default 1. */
    decay: number({ above: 0, max: 1 }, 1),
  },
  create: ({ base, min, period, mult, decay }) => ({
    at(step) {
      let [cycle, since, length] = [0, step, period];
      if (mult === 1) {
        cycle = Math.floor(step / period);
        since = step % period;
      }
      if (mult > 1 && mult < closeTo1) [cycle, since, length] = cycleAt(step, period, mult);
      while (since >= length) {
        since -= length;
        length *= mult;
        cycle++;
      }
      return min + ((base - min) * decay ** cycle * (1 + Math.cos((Math.PI * since) / length))) / 2;
    },
  }),
});
