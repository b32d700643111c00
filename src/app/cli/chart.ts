// Charts as SVG, by ECharts without a browser.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** A chart's description for ECharts, which may ask for a size in pixels. */
export interface Description {
  readonly width?: number;
  readonly height?: number;
  readonly [field: string]: unknown;
}

/** A chart as an SVG document, 900 × 480 where its description does not say. */
export function chartSvg({ width = 900, height = 480, ...option }: Description): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ ...option, animation: false, backgroundColor: "#ffffff" });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // Its ids are numbered by the charts of the process; the same chart is the same file.
  return svg.replace(/\bzr\d+-/g, "zr0-");
}
