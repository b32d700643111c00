// The line search of L-BFGS: a step length under the strong Wolfe conditions, found by bracketing and cubic interpolation
// (Nocedal and Wright 2006, algorithms 3.5 and 3.6). It needs only values and slopes, no vectors.

/** Value and slope of the function along the line. */
export interface Sample {
  readonly value: number;
  /** The derivative by the step length. */
  readonly slope: number;
}

/** A sample at a step length. */
export interface Point extends Sample {
  readonly at: number;
}

export interface SearchLimits {
  /** The share of the decrease promised by the slope that a step must bring, in (0, 1). */
  readonly decrease: number;
  /** The share of the slope that may be left, in (decrease, 1). */
  readonly curvature: number;
  /** The most samples, >= 1. */
  readonly evaluations: number;
  /** Step lengths closer to each other than this count as the same, >= 0. */
  readonly resolution: number;
  /** How far rounding may move apart two values of the same point, >= 0. */
  readonly noise: number;
}

/** The result of a search. */
export interface Found {
  /** The point to go to; null if none is lower than the start. */
  readonly point: Point | null;
}

/**
 * Yields step lengths, is given the sample at each, and returns where to go.
 *
 * @param start At 0, where the slope is < 0.
 * @param first The first step length, > 0.
 */
export function* strongWolfe(start: Sample, first: number, limits: SearchLimits): Generator<number, Found, Sample> {
  const { decrease, curvature, resolution, noise } = limits;
  const origin: Point = { at: 0, ...start };
  let left = limits.evaluations;
  let best: Point | null = null;
  const take = function* (at: number): Generator<number, Point, Sample> {
    left--;
    const point = { at, ...(yield at) };
    if (finite(point) && point.value < (best?.value ?? start.value)) best = point;
    return point;
  };
  const tooHigh = ({ at, value }: Point, low: Point) =>
    !(value <= start.value + decrease * at * start.slope + noise) || (low.at > 0 && value > low.value + noise);
  const isFlat = ({ slope }: Point) => Math.abs(slope) <= curvature * Math.abs(start.slope);

  // A bracket: from the low end, the way to the other end is downhill.
  let [low, high]: [Point, Point | null] = [origin, null];
  let next = first;
  while (!high && left > 0) {
    const point = yield* take(next);
    if (!finite(point) || tooHigh(point, low)) high = point;
    else if (isFlat(point)) return { point };
    else if (point.slope >= 0) [low, high] = [point, low];
    else {
      const ahead = cubicMinimum(low, point);
      next = clamp(ahead, point.at + (point.at - low.at) / 10, 10 * point.at);
      low = point;
    }
  }

  let widths: readonly number[] = [];
  while (high && left > 0) {
    const width = Math.abs(high.at - low.at);
    if (width <= resolution) break;
    const middle = (low.at + high.at) / 2;
    const edge = width / 10;
    // If two samples did not shrink the bracket by a third, interpolation misses the shape of the function.
    const slow = widths.length === 2 && width > (2 / 3) * widths[0]!;
    const ahead = finite(high) && !slow ? cubicMinimum(low, high) : middle;
    const at = clamp(ahead, Math.min(low.at, high.at) + edge, Math.max(low.at, high.at) - edge);
    widths = slow ? [] : [...widths, width].slice(-2);
    const point = yield* take(at);
    if (!finite(point) || tooHigh(point, low)) {
      high = point;
      continue;
    }
    if (isFlat(point)) return { point };
    if (point.slope * (high.at - low.at) >= 0) high = low;
    low = point;
  }
  return { point: best };
}

function finite({ value, slope }: Sample): boolean {
  return Number.isFinite(value) && Number.isFinite(slope);
}

/**
 * Where the cubic through two points with these values and slopes is least (Nocedal and Wright 2006, equation 3.59); NaN if it
 * has no minimum.
 */
export function cubicMinimum(a: Point, b: Point): number {
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.at - b.at);
  const square = d1 * d1 - a.slope * b.slope;
  const d2 = Math.sign(b.at - a.at) * Math.sqrt(square);
  return b.at - ((b.at - a.at) * (b.slope + d2 - d1)) / (b.slope - a.slope + 2 * d2);
}

/** The nearest value in the interval; its middle for NaN. */
function clamp(value: number, low: number, high: number): number {
  return Number.isNaN(value) ? (low + high) / 2 : Math.min(high, Math.max(low, value));
}
