// Points on a landscape as an objective: a tensor `points` of an ordinary optimizer, each row a point that goes its own way.
// The same interface on both engines; no data, so no batch.
import type { Segment, Tensor } from "../arena.ts";
import { OptionError, show } from "../errors.ts";
import { type Landscape, readLandscape } from "../landscapes/define.ts";
import type { StepReport } from "./objective.ts";

/**
 * Each point's gradient is its own: the gradient of the sum of their losses. What an optimizer makes of gradients all
 * together (norms, clipping, rules that sum) it makes of all points together. Of a replica that is halted, losses are those
 * of before, or 0.
 */
export interface LandscapeObjective {
  /**
   * One training step: gradient, then update; a report's `loss` is the mean over the points before it. Returns at once on
   * the GPU: the report comes when the step has run, and further steps may be started meanwhile.
   */
  step(): Promise<StepReport>;
  /** Computes gradients into the gradient arena, without an update; resolves to each replica's mean loss. */
  gradient(): Promise<readonly number[]>;
  /**
   * The loss of every point as it is, in one replica (default: the first).
   *
   * @throws OptionError for a replica that is not there.
   */
  losses(replica?: number): Promise<Float32Array>;
  destroy(): void;
}

/** What the tensor is called. */
export const pointsName = "points";

/**
 * The tensor of an optimizer for points on a landscape: `points`, of shape [how many, dimension].
 *
 * @param given Coordinates, point after point; default one point, where optimizers customarily start.
 * @throws OptionError for coordinates that make no whole points, or are not finite.
 */
export function landscapeTensors(
  landscape: Pick<Landscape, "dimension" | "start">,
  given?: ArrayLike<number>,
): readonly Tensor[] {
  const { dimension, start } = readLandscape(landscape);
  const points = given === undefined ? start() : given;
  if (!Array.isArray(points) && !ArrayBuffer.isView(points)) {
    throw new OptionError(`points is ${show(points)}; it must be an array of numbers, point after point`);
  }
  if (points.length === 0 || points.length % dimension !== 0) {
    throw new OptionError(
      `points holds ${points.length} numbers; it must hold at least one point, and ${dimension} for each`,
    );
  }
  for (let i = 0; i < points.length; i++) {
    if (Number.isFinite(points[i])) continue;
    const [point, coordinate] = [Math.floor(i / dimension), i % dimension];
    throw new OptionError(
      `points is ${show(points[i])} at coordinate ${coordinate} of point ${point}; it must be a finite number`,
    );
  }
  return [{ name: pointsName, shape: [points.length / dimension, dimension], data: points }];
}

/**
 * The segment of the points.
 *
 * @throws OptionError when the optimizer has none, or of another dimension.
 */
export function pointsOf(segments: readonly Segment[], landscape: Landscape): Segment {
  const { type, dimension } = readLandscape(landscape);
  const found = segments.find(({ name }) => name === pointsName);
  if (found?.shape.length === 2 && found.shape[1] === dimension) return found;
  throw new OptionError(
    `the optimizer's tensor "${pointsName}" ${found ? `has shape [${found.shape.join(", ")}]` : "is missing"}; points on this ${type} have shape [how many, ${dimension}]`,
  );
}
