// A chart of the lab (options for ECharts, as the command line writes them to SVG) in the page's colours, as wide as where it
// stands.
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
import { h } from "./elements.ts";
import { color, isDark } from "./looks.ts";

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

  /** @param closed Takes it down. */
  constructor(title: string, closed: AbortSignal, height = 24) {
    this.element = h("div", { class: "chart", role: "img", "aria-label": title });
    this.element.style.height = `${height}rem`;
    const sizes = new ResizeObserver(() => this.#chart?.resize());
    sizes.observe(this.element);
    closed.addEventListener("abort", () => {
      sizes.disconnect();
      this.#chart?.dispose();
    });
  }

  /** Draws a chart anew, but not more often than ten times a second unless it is the last one. */
  draw(option: () => Readonly<Record<string, unknown>>, last = true): void {
    if (!last && performance.now() - this.#drawnAt < leastPause) return;
    this.#drawnAt = performance.now();
    const { width: _, height, ...rest } = option();
    this.#option = rest;
    // A chart may ask for a height, as the lab's with several panels do; it is as wide as where it stands.
    if (typeof height === "number") this.element.style.height = `${height}px`;
    this.#chart ??= init(this.element, themeOf());
    this.#chart.setOption({ backgroundColor: "transparent", ...this.#option, animation: false }, { notMerge: true });
  }

  clear(): void {
    this.#option = undefined;
    this.#chart?.clear();
  }

  /** Takes the colours anew. */
  recolor(): void {
    this.#chart?.dispose();
    this.#chart = undefined;
    const option = this.#option;
    if (option) this.draw(() => option);
  }
}

function themeOf(): object {
  const [ink, soft, line] = ["ink", "soft", "line"].map(color);
  const axis = {
    axisLine: { lineStyle: { color: soft } },
    axisLabel: { color: soft },
    nameTextStyle: { color: soft },
    splitLine: { lineStyle: { color: line } },
  };
  return {
    darkMode: isDark(),
    backgroundColor: "transparent",
    textStyle: { color: ink },
    title: { textStyle: { color: ink }, subtextStyle: { color: soft } },
    legend: { textStyle: { color: ink } },
    valueAxis: axis,
    logAxis: axis,
    categoryAxis: axis,
  };
}
