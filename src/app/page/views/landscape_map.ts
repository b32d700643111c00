// The picture of a landscape, whatever draws it: a canvas for a cloud of points and the ground in the colours of where they end,
// and over it one for lines of equal height.
import { heightsOf, levelsOf } from "../../../lab/contour.ts";
import type { Landscape } from "../../../objectives/landscapes/define.ts";
import type { Optimizer } from "../../../optimizer/optimizer.ts";
import { channelsOf, color } from "../looks.ts";
import type { Basins, Cloud } from "./landscape_runs.ts";

/** A cloud on its way. */
export interface Flowing {
  readonly optimizer: Optimizer;
  readonly cloud: Cloud;
  readonly basins: Basins;
}

/** What draws a landscape. Whatever it draws with is gone after {@link LandscapeMap.destroy}. */
export interface LandscapeMap {
  /** From the lowest to the topmost. */
  readonly canvases: readonly HTMLCanvasElement[];
  /** Draws lines of equal height over the landscape's own box. */
  drawLines(landscape: Landscape): Promise<void>;
  /** Takes a cloud, in place of another. */
  take(flowing: Flowing): Promise<void>;
  /** Draws the cloud as it is now. */
  drawCloud(): Promise<void>;
  destroy(): void;
}

/** Pixels of each side of a canvas: of the cloud, whose points are a pixel each, and of the lines. */
export const [cloudSide, lineSide] = [512, 1024];

/** Colours that ends have, one after the other; behind them stands that of points that are gone. */
export const endColors = 8;

/** Which colour an end has, from 0: not those of the first rules, whose ways lie over it. */
export const endColor = (end: number) => (end + endColors / 2) % endColors;

/** Red, green and blue from 0 to 1 of the colours of ends, and of what is gone. */
export function palette(): readonly (readonly number[])[] {
  const names = [...Array.from({ length: endColors }, (_, i) => `run-${i}`), "edge"];
  return names.map(sharesOf);
}

export const sharesOf = (name: string): readonly number[] =>
  channelsOf(color(name))
    .slice(0, 3)
    .map((each) => each / 255);

/** Heights by which levels are chosen, for lines that lie as close in flat parts as on slopes. */
export function linesOf(landscape: Landscape) {
  const heights = heightsOf((x, y) => landscape.value([x, y]), landscape.domain, 96);
  return { heights, levels: levelsOf(heights, 16) };
}
