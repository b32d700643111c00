// A chart of the lab (options for ECharts, as the command line writes them to SVG) in the page's colours, as wide as
// its container.
import { LineChart, ScatterChart } from "echarts/charts";
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  TitleComponent,
  TooltipComponent,
} from "echarts/components";
import { type EChartsType, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { short } from "../../base/short.ts";
import { inReach } from "../../lab/chart.ts";
import { h } from "./elements.ts";
import { color, isDark, rem } from "./looks.ts";

use([
  LineChart,
  ScatterChart,
  GridComponent,
  LegendComponent,
  TitleComponent,
  TooltipComponent,
  DataZoomComponent,
  CanvasRenderer,
]);

/** Milliseconds between two drawings while something runs. */
const leastPause = 100;

export class ChartBox {
  readonly element: HTMLElement;
  #chart: EChartsType | undefined;
  #option: Readonly<Record<string, unknown>> | undefined;
  #drawnAt = 0;

  /** @param closed Removes the chart. */
  constructor(title: string, closed: AbortSignal) {
    this.element = h("div", { class: "chart", role: "img", "aria-label": title });
    this.element.style.height = "24rem";
    const sizes = new ResizeObserver(() => this.#chart?.resize());
    sizes.observe(this.element);
    closed.addEventListener("abort", () => {
      sizes.disconnect();
      this.#chart?.dispose();
    });
  }

  /** Redraws the chart, but at most ten times a second unless this is the last drawing. */
  draw(option: () => Readonly<Record<string, unknown>>, last = true): void {
    if (!last && performance.now() - this.#drawnAt < leastPause) return;
    this.#drawnAt = performance.now();
    const { width: _, height, ...rest } = option();
    this.#option = rest;
    // A chart may ask for a height, as the lab's with several panels do; its width is that of its container.
    if (typeof height === "number") this.element.style.height = `${height}px`;
    this.#chart ??= init(this.element, themeOf());
    const looks = inLooks(inReach(rest), this.element.clientWidth);
    this.#chart.setOption({ backgroundColor: "transparent", ...looks, animation: false }, { notMerge: true });
  }

  clear(): void {
    this.#option = undefined;
    this.#chart?.clear();
  }

  /** Applies the page's current colours. */
  recolor(): void {
    this.#chart?.dispose();
    this.#chart = undefined;
    const option = this.#option;
    if (option) this.draw(() => option);
  }
}

/** The page's colours for those of the lab. */
const colors: Readonly<Record<string, string>> = {
  "#0b4f9c": "run-0",
  "#7aa6d8": "run-0",
  "#c2410c": "run-2",
  "#c2262d": "run-1",
  "#15803d": "run-3",
  "#7e22ce": "run-4",
  "#0f766e": "run-5",
  "#a16207": "run-6",
  "#be185d": "run-7",
  "#475569": "soft",
  "#000000": "ink",
};

type Part = Readonly<Record<string, unknown>>;

/** The width in rem below which there is no room for a legend of several lines. */
const narrow = 36;

/** A chart in the page's colours and sizes. */
function inLooks(option: Part, width: number): Part {
  const known = (value: unknown) => (typeof value === "string" && colors[value] ? color(colors[value]) : value);
  const size = 0.75 * rem();
  const { series, legend, title } = option as {
    readonly series?: readonly Part[];
    readonly legend?: Part | readonly Part[];
    readonly title?: Part;
  };
  const isNarrow = width < narrow * rem();
  return {
    ...option,
    ...(series ? { series: series.map((each) => ({ ...each, color: known(each.color) })) } : {}),
    // The panels of an experiment, which has its name above it.
    ...(isNarrow && Array.isArray(legend)
      ? {
          legend: legend.map((each: Part) => ({ ...each, type: "scroll", textStyle: { fontSize: size } })),
          title: { ...title, show: false },
        }
      : {}),
  };
}

function themeOf(): object {
  const [ink, soft, line] = ["ink", "soft", "line"].map(color);
  const size = 0.75 * rem();
  const axis = {
    axisLine: { lineStyle: { color: soft } },
    axisLabel: { color: soft, fontSize: size, formatter: short },
    nameTextStyle: { color: soft, fontSize: size },
    splitLine: { lineStyle: { color: line } },
  };
  return {
    darkMode: isDark(),
    backgroundColor: "transparent",
    textStyle: { color: ink },
    title: { textStyle: { color: ink }, subtextStyle: { color: soft } },
    legend: { textStyle: { color: ink, fontSize: size }, pageTextStyle: { color: soft }, pageIconColor: soft },
    valueAxis: axis,
    logAxis: axis,
    categoryAxis: { ...axis, axisLabel: { color: soft, fontSize: size } },
  };
}
