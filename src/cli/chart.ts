// Charts as SVG, by ECharts without a browser.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { type LossCurve, lossChart } from "../lab/chart.ts";

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** The curve of a run as an SVG document. */
export function lossSvg(curve: LossCurve): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: 900, height: 480 });
  chart.setOption({ ...lossChart(curve), animation: false, backgroundColor: "#ffffff" });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
