// The charts of a result as one SVG document, without a browser: the cost curve, and below it the bars.
import { BarChart } from "echarts/charts";
import { use } from "echarts/core";
import { chartSvg } from "../src/cli/chart.ts";
import { costChart, type Drawn, timesChart } from "./drawings.ts";

use(BarChart);

const width = 900;

/** What of the result has no rows yet is drawn as empty axes, with a line that says so. */
export function svgOf(result: Drawn): string {
  const options = [costChart(result), timesChart(result)];
  const total = options.reduce((sum, { height }) => sum + height, 0);
  let top = 0;
  const parts = options.map((option) => {
    // The chart is a document of its own, and may stand inside another.
    const part = chartSvg({ ...option, width }).replace("<svg ", `<svg y="${top}" `);
    top += option.height;
    return part;
  });
  const size = `width="${width}" height="${total}" viewBox="0 0 ${width} ${total}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${parts.join("\n")}\n</svg>\n`;
}
