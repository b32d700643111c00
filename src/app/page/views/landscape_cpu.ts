// The picture of a landscape without a GPU: lines by marching squares and the cloud point by point, on 2-D canvases.
import type { CpuOptimizer } from "../../../engines/cpu/optimizer.ts";
import { contour } from "../../../lab/contour.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import { color } from "../looks.ts";
import { canvasOf } from "../screen.ts";
import { cloudSide, endColor, endColors, type Flowing, type LandscapeMap, lineSide, linesOf } from "./landscape_map.ts";
import { endAt, isArrived } from "./landscape_runs.ts";

export function createCpuMap(): LandscapeMap {
  const [below, above] = [canvasOf(cloudSide, "cloud"), canvasOf(lineSide, "lines")];
  const [cloudContext, lineContext] = [below.getContext("2d")!, above.getContext("2d")!];
  let flowing: Flowing | undefined;
  let colors: readonly string[] = [];
  return {
    canvases: [below, above],
    async drawLines(landscape) {
      const { heights, levels } = linesOf(landscape);
      const [[left, right], [low, high]] = landscape.domain;
      lineContext.clearRect(0, 0, lineSide, lineSide);
      lineContext.strokeStyle = color("ink");
      lineContext.globalAlpha = 0.5;
      lineContext.lineWidth = 1.5;
      for (const line of levels.flatMap((level) => contour(heights, level))) {
        lineContext.beginPath();
        for (const [x, y] of line) {
          lineContext.lineTo(((x - left) / (right - left)) * lineSide, (1 - (y - low) / (high - low)) * lineSide);
        }
        lineContext.stroke();
      }
    },
    async take(next) {
      flowing = next;
      colors = [...Array.from({ length: endColors }, (_, i) => color(`run-${i}`)), color("edge")];
    },
    async drawCloud() {
      if (!flowing) return;
      const { optimizer, cloud, basins } = flowing;
      const { columns, rows } = cloud;
      const points = (optimizer as CpuOptimizer).view("params", pointsName);
      const [[left, right], [low, high]] = basins.domain;
      const [width, height] = [cloudSide / columns, cloudSide / rows];
      cloudContext.clearRect(0, 0, cloudSide, cloudSide);
      for (const isGround of [true, false]) {
        for (let i = 0; 2 * i < points.length; i++) {
          const [x, y] = [points[2 * i]!, points[2 * i + 1]!];
          const end = endAt(basins, x, y);
          cloudContext.fillStyle = colors[end === undefined ? endColors : endColor(end)]!;
          if (isGround) {
            const sure = end === undefined ? 0.5 : isArrived(basins, end, x, y) ? 1 : 0.45;
            cloudContext.globalAlpha = 0.6 * sure;
            const row = rows - 1 - Math.floor(i / columns);
            cloudContext.fillRect((i % columns) * width, row * height, width, height);
          } else {
            cloudContext.globalAlpha = 1;
            const [across, down] = [(x - left) / (right - left), 1 - (y - low) / (high - low)];
            cloudContext.fillRect(across * cloudSide - 1, down * cloudSide - 1, 3, 3);
          }
        }
      }
    },
    destroy() {
      flowing = undefined;
    },
  };
}
