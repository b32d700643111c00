// The picture of a landscape, on GPU or CPU: a canvas for a cloud of points and the ground, coloured by where points end, and over
// it one for lines of equal height.
import { heightsOf, levelsOf } from "../../../lab/contour.ts";
import type { Landscape } from "../../../objectives/landscapes/define.ts";
import type { Optimizer } from "../../../optimizer/optimizer.ts";
import { channelsOf, color } from "../looks.ts";
import type { Basins, Cloud } from "./landscape_runs.ts";

/** A moving cloud. */
export interface Flowing {
  readonly optimizer: Optimizer;
  readonly cloud: Cloud;
  readonly basins: Basins;
}

/** Draws a landscape, with resources that {@link LandscapeMap.destroy} releases. */
export interface LandscapeMap {
  /** From the bottom to the top. */
  readonly canvases: readonly HTMLCanvasElement[];
  /** Draws lines of equal height over the landscape's own box. */
  drawLines(landscape: Landscape): Promise<void>;
  /** Sets the cloud to draw. */
  take(flowing: Flowing): Promise<void>;
  /** Draws the cloud as it is now. */
  drawCloud(): Promise<void>;
  destroy(): void;
}

/** Pixels along a side of each canvas: that of the cloud, whose points are one pixel each, and that of the lines. */
export const [cloudSide, lineSide] = [512, 1024];

/** The number of colours for ends, used in turn; after them comes the colour of points that are gone. */
export const endColors = 8;

/** The colour of an end, from 0: not those of the first rules, whose paths are drawn over it. */
export const endColor = (end: number) => (end + endColors / 2) % endColors;

/** Red, green and blue, from 0 to 1, of the colours of ends and of points that are gone. */
export function palette(): readonly (readonly number[])[] {
  const names = [...Array.from({ length: endColors }, (_, i) => `run-${i}`), "edge"];
  return names.map(sharesOf);
}

export const sharesOf = (name: string): readonly number[] =>
  channelsOf(color(name))
    .slice(0, 3)
    .map((each) => each / 255);

/** Heights from which levels are chosen, so that lines are as dense in flat parts as on slopes. */
export function linesOf(landscape: Landscape) {
  const heights = heightsOf((x, y) => landscape.value([x, y]), landscape.domain, 96);
  return { heights, levels: levelsOf(heights, 16) };
}
