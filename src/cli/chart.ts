// Charts as SVG, by ECharts without a browser.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** A chart's description for ECharts as an SVG document. */
export function chartSvg(option: Record<string, unknown>): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: 900, height: 480 });
  chart.setOption({ ...option, animation: false, backgroundColor: "#ffffff" });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
