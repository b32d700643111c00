// Charts as SVG, by ECharts without a browser.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { inReach } from "../../lab/chart.ts";

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** A chart's description for ECharts, which may ask for a size in pixels. */
export interface Description {
  readonly width?: number;
  readonly height?: number;
  readonly [field: string]: unknown;
}

/** A chart as an SVG document, 900 × 480 unless its description has a size. */
export function chartSvg({ width = 900, height = 480, ...option }: Description): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ ...inReach(option), animation: false, backgroundColor: "#ffffff" });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return renumbered(svg);
}

/** Numbers ids by their order in the SVG, so the same chart is the same file: ECharts counts all charts of the process. */
function renumbered(svg: string): string {
  const numbers = new Map<string, number>();
  return svg.replace(/\bzr\d+-(c|cls-)\d+/g, (id, kind: string) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size);
    return `zr0-${kind}${numbers.get(id)}`;
  });
}
