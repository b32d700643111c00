// The rates that a range test's curve suggests: readings of it, each a rate or the reason why there is none. Four are published
// and follow fastai 2.7 (callback/schedule.py), on the smoothed losses without their first tenth and their last five points,
// as there. That mean lags by half its memory, which makes them cautious; `fall` reads the losses
// themselves, smoothed without a lag.

import { bellMeans } from "./bell_means.ts";

/** One step of a range test. */
export interface RangePoint {
  /** The learning rate of the step. */
  readonly lr: number;
  /** The loss of the parameters that the rates before this one produced. */
  readonly loss: number;
  /** The exponential mean of the losses so far. */
  readonly smooth: number;
}

/** Why a range test ended: all steps made, the smoothed loss too far up, a loss not finite, or stopped by its caller. */
export type RangeEnd = "complete" | "diverged" | "nonFinite" | "aborted";

/** The name of a reading of the curve. */
export type ReadingName = "fall" | "minimum" | "steepest" | "valley" | "slide";
/** The name of a reading of the curve, or of the best of the short runs that follow it. */
export type SuggestionName = "trial" | ReadingName;

/** A rate that a range test suggests. */
export interface Suggestion {
  /** Null if the curve suggests none. */
  readonly lr: number | null;
  /** How the rate was found, or why there is none. */
  readonly reason: string;
}

/** The suggestions of a range test, by reading of its curve. */
export interface Suggestions {
  /** `trial` only if short runs followed the curve. */
  readonly suggestions: Readonly<Record<ReadingName, Suggestion>> & { readonly trial?: Suggestion };
  /** The one to take: the first of trial, fall, valley, steepest, minimum, slide that gives a rate. */
  readonly suggested: Suggestion & { readonly name: SuggestionName | null };
  /** Remarks about the curve. */
  readonly notes: readonly string[];
}

/** Points that are left out at the end of a curve, where the loss shoots up. */
const tail = 5;

/** Points that a curve must have, in all and before its lowest. */
const fewest = 10;

/** A fall of the smoothed loss below this share of it counts as noise. */
const slightest = 0.01;

/** Points between the two ends of the slide's interval, and the least difference of the slopes there while it moves on. */
const slideInterval = 15;
const slideThreshold = 0.005;

/** Share of the whole fall at which `fall` takes the rate, and its factor. */
const fallShare = 0.8;
const fallFactor = 2;

/** Share of the deepest fall by which means of the same losses may differ. */
const rounding = 1e-12;

const order: readonly SuggestionName[] = ["trial", "fall", "valley", "steepest", "minimum", "slide"];

/**
 * Reads a range test's curve.
 *
 * - `fall`: twice the rate at which the loss has made four fifths of its fall.
 * - `minimum` (Smith 2017, Gugger): a tenth of the rate at the lowest smoothed loss.
 * - `steepest`: the rate at which the smoothed loss falls fastest against the logarithm of the rate.
 * - `valley`: along the longest decreasing subsequence of the smoothed losses, of length L and ending at e, the point
 *   (e - L) + ⌊L/3⌋ + ⌊L/6⌋.
 * - `slide` (Chang): from the right end an interval of 15 points slides left as long as the slopes at its ends differ by
 *   more than 0.005; the rate at its left end.
 *
 * @param steps of the ramp, whether or not all were made: a tenth of them is left out at the curve's start.
 */
export function suggestRates(points: readonly RangePoint[], steps: number, ended: RangeEnd): Suggestions {
  const head = Math.floor(steps / 10);
  const curve = points.slice(head, Math.max(head, points.length - tail));
  const lowest = lowestOf(curve);
  const turning = turn(points, steps);
  // A lagging mean may still fall while the loss climbs.
  const atEnd =
    lowest === curve.length - 1 &&
    (ended === "complete" || ended === "aborted") &&
    turning.lowest >= points.length - tail;
  const unturned =
    ended === "complete"
      ? "the loss was still falling at the end of the ramp: raise end"
      : "the test was stopped while the loss was still falling";
  const useless = whyUseless(points, curve, { head, lowest, ended });
  const none = (reason: string): Suggestion => ({ lr: null, reason });
  const published =
    useless !== undefined
      ? { minimum: none(useless), steepest: none(useless), valley: none(useless), slide: none(useless) }
      : {
          minimum: atEnd ? none(unturned) : minimum(curve, lowest),
          steepest: steepest(curve),
          valley: valley(curve),
          slide: slide(curve),
        };
  const found = fall(points, turning);
  // If no reading suggests a rate, all give the same reason.
  const silent = useless !== undefined && found.lr === null;
  const suggestions = { fall: silent ? none(useless) : found, ...published };
  return {
    suggestions,
    suggested: choose(suggestions),
    notes: !silent && atEnd ? [unturned] : [],
  };
}

/** The suggestion to take. */
export function choose(suggestions: Suggestions["suggestions"]): Suggestions["suggested"] {
  const name = order.find((candidate) => typeof suggestions[candidate]?.lr === "number") ?? null;
  return name ? { name, ...suggestions[name]! } : { name, ...suggestions.valley };
}

/** The losses smoothed without a lag, and where they are lowest. */
interface Turn {
  /** The loss before any rate mattered: the mean of the first tenth. */
  readonly first: number;
  /** How far the smoothed losses are above the first. */
  readonly smooth: readonly number[];
  readonly lowest: number;
  /** The root mean square distance of losses from the smoothed ones, up to the lowest. */
  readonly noise: number;
}

function turn(points: readonly RangePoint[], steps: number): Turn {
  const losses = points.map(({ loss }) => loss);
  const begin = losses.slice(0, Math.max(1, Math.floor(steps / 10)));
  const first = begin.reduce((sum, loss) => sum + loss, 0) / begin.length;
  // Heights above the first loss. A sudden rise must not reach into the points before it.
  const depth = losses.reduce((deepest, loss) => Math.max(deepest, first - loss), 0);
  const capped = losses.map((loss) => Math.min(loss - first, depth));
  const smooth = bellMeans(capped, Math.max(1, steps / 50));
  // Where losses stay the same, rounding alone makes one of their means the lowest.
  const least = smooth.reduce((lower, height) => Math.min(lower, height), Number.POSITIVE_INFINITY);
  const lowest = Math.max(
    0,
    smooth.findIndex((height) => height <= least + rounding * depth),
  );
  const before = capped.slice(0, lowest + 1);
  const squares = before.reduce((sum, loss, i) => sum + (loss - smooth[i]!) ** 2, 0);
  return { first, smooth, lowest, noise: Math.sqrt(squares / Math.max(1, before.length)) };
}

function fall(points: readonly RangePoint[], { first, smooth, lowest, noise }: Turn): Suggestion {
  if (points.length <= fewest + tail) {
    return { lr: null, reason: `too few points: ${points.length} were measured; it takes ${fewest + tail + 1}` };
  }
  const whole = -smooth[lowest]!;
  if (!(whole > slightest * Math.abs(first) && whole > noise)) {
    return { lr: null, reason: "the loss never fell by more than its noise" };
  }
  if (lowest < fewest) {
    return {
      lr: null,
      reason: `too few points before the loss was lowest: ${lowest}; it takes ${fewest}: lower start`,
    };
  }
  let at = lowest;
  while (at >= 0 && smooth[at]! <= -fallShare * whole) at--;
  if (at < 0) return { lr: null, reason: "the loss had already fallen at the first rate: lower start" };
  return {
    lr: fallFactor * points[Math.min(at + 1, lowest)]!.lr,
    reason: "twice the rate at which the loss has made four fifths of its fall",
  };
}

/** Why a curve suggests nothing at all. */
function whyUseless(
  points: readonly RangePoint[],
  curve: readonly RangePoint[],
  { head, lowest, ended }: { readonly head: number; readonly lowest: number; readonly ended: RangeEnd },
): string | undefined {
  if (curve.length < fewest) {
    return `too few points: ${points.length} were measured; without the first ${head} and the last ${tail}, ${curve.length} are left; it takes ${fewest}`;
  }
  const first = curve[0]!.smooth;
  const fall = first - curve[lowest]!.smooth;
  if (!(fall > slightest * Math.abs(first))) {
    if (ended === "aborted") return "the test was stopped before the loss fell";
    return `the loss never fell by more than ${100 * slightest} % at any rate: check the model, its gradients and the ramp`;
  }
  if (head + lowest < fewest) {
    return `too few points before the loss was lowest: ${head + lowest}; it takes ${fewest}: lower start or take more steps`;
  }
  return undefined;
}

function lowestOf(curve: readonly RangePoint[]): number {
  return curve.reduce((lowest, { smooth }, i) => (smooth < curve[lowest]!.smooth ? i : lowest), 0);
}

function minimum(curve: readonly RangePoint[], lowest: number): Suggestion {
  return { lr: curve[lowest]!.lr / 10, reason: "a tenth of the rate at the lowest smoothed loss" };
}

function steepest(curve: readonly RangePoint[]): Suggestion {
  let best = 0;
  let at = -1;
  for (let i = 0; i + 1 < curve.length; i++) {
    const [here, next] = [curve[i]!, curve[i + 1]!];
    const slope = (next.smooth - here.smooth) / Math.log(next.lr / here.lr);
    if (slope < best) [best, at] = [slope, i];
  }
  if (at < 0) return { lr: null, reason: "the smoothed loss never falls" };
  return { lr: curve[at]!.lr, reason: "where the smoothed loss falls most steeply" };
}

function valley(curve: readonly RangePoint[]): Suggestion {
  /** The highest loss at which a decreasing subsequence of each length can end, turned over so that the list rises. */
  const ends: number[] = [];
  let end = 0;
  curve.forEach(({ smooth }, i) => {
    // The longest subsequence above this point goes on to it: no later than the last end that is higher.
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[middle]! < -smooth) low = middle + 1;
      else high = middle;
    }
    if (low === ends.length) end = i;
    ends[low] = -smooth;
  });
  const length = ends.length;
  if (length < fewest) {
    return { lr: null, reason: `the longest fall of the smoothed loss has ${length} points; it takes ${fewest}` };
  }
  const at = end - length + Math.floor(length / 3) + Math.floor(length / 6);
  return { lr: curve[at]!.lr, reason: "about half-way down the longest fall of the smoothed loss" };
}

function slide(curve: readonly RangePoint[]): Suggestion {
  const slopes = curve.map((_, i) => slopeAt(curve, i));
  let left = curve.length - 1 - slideInterval;
  if (left < 0) {
    return { lr: null, reason: `too few points: ${curve.length}; it takes ${slideInterval + 1}` };
  }
  let found = left;
  while (left >= 0 && Math.abs(slopes[left + slideInterval]! - slopes[left]!) > slideThreshold) {
    found = left;
    left--;
  }
  if (left < 0) {
    return { lr: null, reason: `no interval has slopes within ${slideThreshold} of each other at its ends` };
  }
  return {
    lr: curve[found]!.lr,
    reason: "the last steep stretch before the loss climbs",
  };
}

/** Change of the smoothed loss per point: central differences, one-sided at the ends. */
function slopeAt(curve: readonly RangePoint[], i: number): number {
  const [from, to] = [Math.max(0, i - 1), Math.min(curve.length - 1, i + 1)];
  return (curve[to]!.smooth - curve[from]!.smooth) / (to - from);
}
