// The page's charts, on canvases, with only the parts of ECharts that they need. The page loads it in parallel.
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent, TooltipComponent } from "echarts/components";
import { type EChartsType, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { isDark } from "../src/app/page/looks.ts";
import { refuseMarkup } from "../src/app/page/no_markup.ts";
import { costChart, type Drawn, timesChart } from "./drawings.ts";
import { digits } from "./report.ts";

refuseMarkup();
use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, TooltipComponent, CanvasRenderer]);

export interface LiveCharts {
  /** Draws a partial or complete result; a chart with nothing to show is hidden. */
  draw(result: Drawn): void;
  /** Takes the colours anew. */
  recolor(): void;
}

/** Charts in two elements. */
export function createCharts(cost: HTMLElement, times: HTMLElement): LiveCharts {
  const charts = [
    { box: cost, make: costChart },
    { box: times, make: timesChart },
  ].map(({ box, make }) => {
    let chart: EChartsType | undefined;
    let theme = "";
    return {
      draw(result: Drawn) {
        const { height, ...option } = make(result, isDark());
        box.hidden = option.series.length === 0;
        if (box.hidden) return;
        box.style.height = `${height}px`;
        const wanted = isDark() ? "dark" : "default";
        // setTheme does nothing before the first option, so a chart keeps its initial theme.
        if (theme !== wanted) chart?.dispose();
        if (!chart || theme !== wanted) chart = init(box, wanted);
        theme = wanted;
        chart.resize();
        chart.setOption(
          {
            ...option,
            animation: false,
            backgroundColor: "transparent",
            tooltip: { valueFormatter, renderMode: "richText" },
          },
          { notMerge: true },
        );
      },
      resize() {
        if (!box.hidden) chart?.resize();
      },
    };
  });
  let last: Drawn | undefined;
  const draw = (result: Drawn) => {
    last = result;
    for (const chart of charts) chart.draw(result);
  };
  addEventListener("resize", () => {
    for (const chart of charts) chart.resize();
  });
  return { draw, recolor: () => last && draw(last) };
}

/** For a point of the curve its n and its ms, for a bar its ratio. */
const valueFormatter = (value: unknown) =>
  (Array.isArray(value) ? value : [value]).map((each) => digits(Number(each))).join(": ");
