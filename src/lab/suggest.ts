// Which rates a range test's curve speaks for: four published readings of it, each a rate or the reason why there is none.
// They follow what fastai 2.7 (callback/schedule.py) computes, on the smoothed losses, its first tenth and its last five
// points left out as there.

/** One step of a range test. */
export interface RangePoint {
  readonly lr: number;
  /** The loss that was measured with the parameters that the rates before this one had made. */
  readonly loss: number;
  /** The exponential mean of the losses so far. */
  readonly smooth: number;
}

/** Why a range test ended: all steps made, the smoothed loss too far up, a loss not finite, or stopped by its caller. */
export type RangeEnd = "complete" | "diverged" | "nonFinite" | "aborted";

const suggestionNames = ["minimum", "steepest", "valley", "slide"] as const;
export type SuggestionName = (typeof suggestionNames)[number];

export interface Suggestion {
  /** Null where the curve does not say. */
  readonly lr: number | null;
  /** How the rate was found, or why there is none. */
  readonly reason: string;
}

export interface Suggestions {
  readonly suggestions: Readonly<Record<SuggestionName, Suggestion>>;
  /** The one to take: the first of valley, steepest, minimum, slide that gives a rate. */
  readonly suggested: Suggestion & { readonly name: SuggestionName | null };
  /** What to know about the curve. */
  readonly notes: readonly string[];
}

/** Points that are left out at the end of a curve, where the loss shoots up. */
const tail = 5;

/** Points that a curve must have, in all that is read and before its lowest. */
const fewest = 10;

/** A fall of the smoothed loss below this share of it is taken for noise. */
const slightest = 0.01;

/** Points between the two ends of the slide's interval, and how far apart the slopes there are while it moves on. */
const slideInterval = 15;
const slideThreshold = 0.005;

const order: readonly SuggestionName[] = ["valley", "steepest", "minimum", "slide"];

/**
 * Reads a range test's curve.
 *
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
  const atEnd = lowest === curve.length - 1 && (ended === "complete" || ended === "aborted");
  const unturned =
    ended === "complete"
      ? "the loss was still falling at the end of the ramp: raise end"
      : "the test was stopped while the loss was still falling";
  const useless = refusal(points, curve, { head, lowest, ended });
  const none = (reason: string): Suggestion => ({ lr: null, reason });
  const suggestions =
    useless !== undefined
      ? { minimum: none(useless), steepest: none(useless), valley: none(useless), slide: none(useless) }
      : {
          minimum: atEnd ? none(unturned) : minimum(curve, lowest),
          steepest: steepest(curve),
          valley: valley(curve),
          slide: slide(curve),
        };
  const name = order.find((candidate) => suggestions[candidate].lr !== null) ?? null;
  return {
    suggestions,
    suggested: name ? { name, ...suggestions[name] } : { name, ...suggestions.valley },
    notes: useless === undefined && atEnd ? [unturned] : [],
  };
}

/** Why a curve says nothing at all. */
function refusal(
  points: readonly RangePoint[],
  curve: readonly RangePoint[],
  { head, lowest, ended }: { readonly head: number; readonly lowest: number; readonly ended: RangeEnd },
): string | undefined {
  if (curve.length < fewest) {
    return `too few points: ${points.length} were measured and, without the first ${head} and the last ${tail}, ${curve.length} are left; it takes ${fewest}`;
  }
  const first = curve[0]!.smooth;
  const fall = first - curve[lowest]!.smooth;
  if (!(fall > slightest * Math.abs(first))) {
    if (ended === "aborted") return "the test was stopped before the loss fell";
    return `the loss never fell by more than ${100 * slightest} %, whatever the rate: look at the model, its gradients and the ramp`;
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
  if (at < 0) return { lr: null, reason: "the smoothed loss falls nowhere" };
  return { lr: curve[at]!.lr, reason: "where the smoothed loss falls most steeply" };
}

function valley(curve: readonly RangePoint[]): Suggestion {
  /** The longest decreasing subsequence that ends at each point. */
  const lengths: number[] = [];
  let end = 0;
  curve.forEach(({ smooth }, i) => {
    let longest = 0;
    for (let j = 0; j < i; j++) if (curve[j]!.smooth > smooth) longest = Math.max(longest, lengths[j]!);
    lengths.push(longest + 1);
    if (longest + 1 > lengths[end]!) end = i;
  });
  const length = lengths[end]!;
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
    return { lr: null, reason: `too few points: it takes ${slideInterval + 1}, and there are ${curve.length}` };
  }
  let found = left;
  while (left >= 0 && Math.abs(slopes[left + slideInterval]! - slopes[left]!) > slideThreshold) {
    found = left;
    left--;
  }
  if (left < 0) {
    return { lr: null, reason: `its interval found no two slopes within ${slideThreshold} of each other` };
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
