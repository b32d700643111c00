// The 1cycle policy (Smith and Topin 2018; torch.optim OneCycleLR): up to `max`, then down far below the start, in two
// phases; or in three: up, down to the start, and on down from there.
import { OptionError, show } from "../base/errors.ts";
import { isOptions } from "../base/options.ts";
import { choice, defineSchedule, flag, number, whole } from "./define.ts";
import type { ScheduleConfig } from "./schedule.ts";

const anneals = ["cos", "linear"] as const;

/** The options of {@link oneCycleMomentum}. */
export interface OneCycleMomentumOptions
  extends Omit<Parameters<typeof oneCycle>[0], "max" | "divFactor" | "finalDivFactor"> {
  /** The momentum while the rate is at its peak, > 0; default 0.85. */
  base?: number | undefined;
  /** The momentum at the start and at the end, > 0; default 0.95. */
  max?: number | undefined;
}

/**
 * The momentum (or `beta1`) that goes with {@link oneCycle}, as torch cycles it: from `max` down to `base` while the rate
 * rises, and back up while it falls. It is a oneCycle too, upside down.
 */
export function oneCycleMomentum(options: OneCycleMomentumOptions): ScheduleConfig {
  if (!isOptions(options)) {
    throw new OptionError(`oneCycleMomentum was given ${show(options)}; it must be an object of its options`);
  }
  const { base = 0.85, max = 0.95, ...cycle } = options;
  return oneCycle({ max: base, divFactor: base / max, finalDivFactor: 1, ...cycle });
}

interface Phase {
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** One rise to `max` and one long fall. */
export const oneCycle = defineSchedule({
  type: "oneCycle",
  formula:
    "start = max / divFactor, final = start / finalDivFactor; start → max until step pctStart · steps - 1, max → final until steps - 1; with threePhase: start → max, max → start until 2 · (pctStart · steps - 1), start → final; each a straight line or half a cosine",
  source: "Smith and Topin 2018; torch.optim OneCycleLR",
  options: {
    /** The value at the peak. */
    max: number(),
    /** The length of the cycle, a whole number >= 1: its last value is that of step `steps` - 1 and of all after it. */
    steps: whole(1),
    /** The share of the cycle before the peak, in (0, 1); default 0.3. With three phases the way down to the start is as long. */
    pctStart: number({ above: 0, below: 1 }, 0.3),
    /** The cycle starts at `max / divFactor`, > 0; default 25. */
    divFactor: number({ above: 0 }, 25),
    /** It ends at its start's value divided by this, > 0; default 1e4. */
    finalDivFactor: number({ above: 0 }, 1e4),
    /** The shape of each phase: half a cosine or a straight line; default "cos". */
    anneal: choice(anneals, "cos"),
    /** Whether the value first falls to its start, and then on to its end; default false. */
    threePhase: flag(false),
  },
  complete(name, values) {
    if (values.threePhase && values.pctStart > 0.5) {
      throw new OptionError(
        `${name}.pctStart is ${show(values.pctStart)}; with threePhase, whose second phase is as long as the first, it must be <= 0.5`,
      );
    }
    return values;
  },
  create({ max, steps, pctStart, divFactor, finalDivFactor, anneal, threePhase }) {
    const start = max / divFactor;
    const final = start / finalDivFactor;
    const last = steps - 1;
    const peak = pctStart * steps - 1;
    const phases: readonly Phase[] = [
      { end: peak, from: start, to: max },
      ...(threePhase ? [{ end: 2 * pctStart * steps - 2, from: max, to: start }] : []),
      { end: last, from: threePhase ? start : max, to: final },
    ];
    // The order of operations is torch's: near the end its rounding error is as large as what is left of a small rate.
    const between = (from: number, to: number, share: number) =>
      anneal === "cos" ? to + ((from - to) / 2) * (Math.cos(Math.PI * share) + 1) : (to - from) * share + from;
    return {
      at(step) {
        const now = Math.min(step, last);
        const index = phases.findIndex(({ end }) => now <= end);
        const { end, from, to } = phases[index]!;
        const begin = phases[index - 1]?.end ?? 0;
        return between(from, to, end === begin ? 1 : (now - begin) / (end - begin));
      },
    };
  },
});
