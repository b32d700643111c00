// Points on a landscape as a program: a tensor `points` of an ordinary optimizer, in which each row is an independent point; no
// data, so no batch.

import { OptionError, refusal, show } from "../base/errors.ts";
import type { Segment, Tensor } from "../optimizer/arena.ts";
import { bindLandscapeToCpu } from "./landscape_cpu.ts";
import { bindLandscapeToGpu } from "./landscape_gpu.ts";
import type { Landscape } from "./landscapes/define.ts";
import type { Program } from "./program.ts";

/** The name of the tensor. */
export const pointsName = "points";

/** Coordinates, point after point. */
export type Points = ArrayLike<number>;

/** The gradient of the sum of all losses is each point's own gradient. */
export function programOfLandscape(landscape: Landscape): Program<Points> {
  const { type, dimension } = landscape;
  return {
    title: type,
    needsData: false,
    lossName: type,
    hasAccuracy: false,
    hasError: false,
    memory: { sharedRowBytes: 0, replicaRowBytes: 0, replicaFixedBytes: 0, rowMultiple: 1, divides: false },
    start: (given) => (given === undefined || given === null ? landscape.start() : readPoints(given, dimension)),
    tensors(start) {
      return [{ name: pointsName, shape: shapeOf(this.start(start), dimension) }];
    },
    initial(start): readonly Tensor[] {
      const data = this.start(start);
      return [{ name: pointsName, shape: shapeOf(data, dimension), data }];
    },
    segmentsOf: (segments) => [pointsOf(segments, landscape)],
    checkFit(data) {
      throw new OptionError(`data is ${data.name}; ${type} takes no data, so it must be left out`);
    },
    checkAnswers: () => {},
    bindCpu: (_, { segments }) => bindLandscapeToCpu(landscape, segments[0]!),
    bindGpu: (optimizer, { segments }) => bindLandscapeToGpu(optimizer, landscape, segments[0]!),
  };
}

const shapeOf = (points: Points, dimension: number) => [points.length / dimension, dimension];

/** @throws OptionError for coordinates that do not make whole points or are not finite. */
function readPoints(points: Points, dimension: number): Points {
  if (!Array.isArray(points) && !ArrayBuffer.isView(points)) {
    throw refusal("points", points, "an array of numbers, point after point");
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
  return points;
}

/**
 * The segment of the points.
 *
 * @throws OptionError if the optimizer has none, or one of another dimension.
 */
function pointsOf(segments: readonly Segment[], { type, dimension }: Landscape): Segment {
  const found = segments.find(({ name }) => name === pointsName);
  if (found?.shape.length === 2 && found.shape[1] === dimension) return found;
  throw new OptionError(
    `the optimizer's tensor "${pointsName}" ${found ? `has shape [${found.shape.join(", ")}]` : "is missing"}; points on this ${type} have shape [count, ${dimension}]`,
  );
}
