// The charts of a result as one SVG document, without a browser: the cost curve, and below it the bars; one line in a frame if
// the result has nothing for either.
import { BarChart } from "echarts/charts";
import { use } from "echarts/core";
import { chartSvg } from "../src/app/cli/chart.ts";
import { costChart, type Drawn, timesChart } from "./drawings.ts";
import { captionOf } from "./report.ts";

use(BarChart);

const width = 900;

/** If only one chart has rows, the other is drawn as empty axes, with a line to that effect. */
export function svgOf(result: Drawn): string {
  const options = [costChart(result), timesChart(result)];
  if (options.every(({ series }) => series.length === 0)) return emptySvg(result);
  const total = options.reduce((sum, { height }) => sum + height, 0);
  let top = 0;
  const parts = options.map((option) => {
    // The chart is a document of its own, and can be nested in another.
    const part = chartSvg({ ...option, width }).replace("<svg ", `<svg y="${top}" `);
    top += option.height;
    return part;
  });
  const size = `width="${width}" height="${total}" viewBox="0 0 ${width} ${total}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${parts.join("\n")}\n</svg>\n`;
}

function emptySvg(result: Drawn): string {
  const lineEnd = { width: width - 60, overflow: "break" };
  const title = {
    text: "No measurements for the charts",
    subtext: captionOf(result),
    ...{ left: "center", top: 16, itemGap: 6 },
    ...{ textStyle: { fontSize: 16, ...lineEnd }, subtextStyle: { fontSize: 12, color: "#51606f", ...lineEnd } },
  };
  return `${chartSvg({ width, height: 84, title })}\n`;
}
