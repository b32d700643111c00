// Warm-up, a long constant stretch, and a short cooldown (Hu et al. 2024; Hägele et al. 2024, where 1 - √x cools down
// best): a run is made longer by raising `stable` alone.
import { choice, defineSchedule, number, whole } from "./define.ts";

const cooldowns = ["1-sqrt", "linear", "cosine"] as const;

/** Rises to `base`, stays there, and cools down to `min`. */
export const warmupStableDecay = defineSchedule({
  type: "warmupStableDecay",
  formula:
    "start + (base - start) · t / warmup; then base for stable steps; then min + (base - min) · f(x), where x goes from 0 to 1 in decay steps and f is 1 - √x, 1 - x or (1 + cos(π · x)) / 2",
  source: "Hu et al. 2024; Hägele et al. 2024",
  options: {
    /** The value of the constant stretch. */
    base: number(),
    /** The value at step 0, where there is a warm-up; default 0. */
    start: number({}, 0),
    /** The value at the end and after it; default 0. */
    min: number({}, 0),
    /** Steps of the straight rise from `start` to `base`; a whole number >= 0; default 0. */
    warmup: whole(0, 0),
    /** Steps at `base`; a whole number >= 0. */
    stable: whole(0),
    /** Steps of the cooldown from `base` to `min`; a whole number >= 1. */
    decay: whole(1),
    /** The cooldown's shape over its share x: 1 - √x, 1 - x, or (1 + cos πx) / 2; default "1-sqrt". */
    cooldown: choice(cooldowns, "1-sqrt"),
  },
  create({ base, start, min, warmup, stable, decay, cooldown }) {
    const left = {
      "1-sqrt": (x: number) => 1 - Math.sqrt(x),
      linear: (x: number) => 1 - x,
      cosine: (x: number) => (1 + Math.cos(Math.PI * x)) / 2,
    }[cooldown];
    return {
      at(step) {
        if (step < warmup) return start + ((base - start) * step) / warmup;
        const cooled = step - warmup - stable;
        return cooled <= 0 ? base : min + (base - min) * left(Math.min(cooled, decay) / decay);
      },
    };
  },
});
