// The curves of a run in progress: loss, rate, gradient norm, test, the change of each layer by updates, sharpness.
import { type Curve, type CurveData, Curves } from "../curves.ts";
import { h } from "../elements.ts";
import { Series } from "./train_run.ts";

/** Milliseconds between the drawings of two charts: drawing all at once would delay typing. */
const leastPause = 40;
/** Curves for which there are colours. */
const mostCurves = 8;

const kinds = {
  loss: { title: "Loss", y: "loss", curves: ["loss", "mean of 20"] },
  test: { title: "The metric along the way", y: "test", curves: ["test"], first: "test" },
  rate: { title: "Learning rate", y: "rate", curves: ["rate"] },
  norm: { title: "Gradient norm, before clipping", y: "norm", curves: ["norm"], logY: true },
  ratios: { title: "Update of each layer, relative to its norm", y: "share", curves: [], logY: true },
  sharpness: {
    title: "Sharpness, and the edge of stability",
    y: "sharpness",
    curves: ["sharpness", "edge"],
    logY: true,
    first: "measurement",
  },
} as const;
export type ChartName = keyof typeof kinds;

class RunChart {
  readonly card: HTMLElement;
  readonly #name: ChartName;
  readonly #legend = h("p", { class: "legend" });
  readonly #box = h("div", { class: "fill" });
  readonly #closed: AbortSignal;
  #close = new AbortController();
  #series = new Series();
  #curves!: Curves;
  #labels: readonly string[] = [];

  constructor(name: ChartName, closed: AbortSignal) {
    this.#name = name;
    this.#closed = closed;
    const { title } = kinds[name];
    this.card = h(
      "section",
      { class: "card chart-card", "data-chart": name },
      h("h2", {}, title),
      this.#box,
      this.#legend,
    );
    this.begin(kinds[name].curves);
  }

  /** Starts again, with curves of these names. @param y What they show; default as the kind of chart has it. */
  begin(labels: readonly string[], y: string = kinds[this.#name].y): void {
    this.#series = new Series();
    this.#labels = labels.slice(0, mostCurves);
    this.#close.abort();
    this.#close = new AbortController();
    const kind = kinds[this.#name];
    const curves = this.#labels.map(
      (label, i): Curve => ({
        label,
        color: `run-${i}`,
        ...(this.#name === "loss" && i === 0 ? { width: 1 } : {}),
        ...(this.#name === "test" || this.#name === "sharpness" ? { points: true } : {}),
      }),
    );
    this.#curves = new Curves(
      {
        title: `${kind.title}, by step`,
        x: "step",
        y,
        height: 13,
        empty: `drawn once there is a ${"first" in kind ? kind.first : "step"}`,
        logY: "logY" in kind,
        curves,
      },
      AbortSignal.any([this.#closed, this.#close.signal]),
    );
    this.#box.replaceChildren(this.#curves.element);
    this.#legend.replaceChildren(
      ...(this.#labels.length > 1
        ? this.#labels.map((label, i) => h("span", { class: `run-${i}` }, h("span", { class: "swatch" }), label))
        : []),
    );
    this.draw();
  }

  add(step: number, values: readonly number[]): void {
    const positive = "logY" in kinds[this.#name];
    this.#series.add(
      step,
      values.slice(0, mostCurves).map((value) => (positive && value <= 0 ? Number.NaN : value)),
    );
  }

  draw(): void {
    this.#curves.draw(
      this.#series.data(this.#labels.length) as CurveData,
      rangeOf(this.#series.rows, "logY" in kinds[this.#name]),
    );
  }

  recolor(): void {
    this.#curves.recolor();
  }
}

/** The range of a logarithmic axis, at most the top twelve decades of the data; undefined for a linear axis. */
function rangeOf(rows: readonly (readonly (number | null)[])[], log: boolean): readonly [number, number] | undefined {
  if (!log) return undefined;
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const row of rows) {
    for (const value of row) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (high === 0) return [0.1, 1];
  const top = 10 ** Math.ceil(Math.log10(high) + 1e-9);
  return [Math.max(10 ** Math.floor(Math.log10(low)), top * 1e-12), top];
}

/** All charts of a run, in a grid. */
export class RunCharts {
  readonly element: HTMLElement;
  readonly #charts: Readonly<Record<ChartName, RunChart>>;
  #recent: number[] = [];
  #drawnAt = 0;
  #turn = 0;

  /** @param more Other elements of the grid. */
  constructor(closed: AbortSignal, ...more: readonly HTMLElement[]) {
    const names = Object.keys(kinds) as ChartName[];
    this.#charts = Object.fromEntries(names.map((name) => [name, new RunChart(name, closed)])) as Record<
      ChartName,
      RunChart
    >;
    this.element = h("div", { class: "charts" }, ...names.map((name) => this.#charts[name].card), ...more);
  }

  /** Shows the charts of these names. */
  show(names: readonly ChartName[]): void {
    for (const [name, { card }] of Object.entries(this.#charts)) card.hidden = !names.includes(name as ChartName);
  }

  /**
   * @param layers The names of the layers whose updates are drawn.
   * @param metric What is measured along the way: "test accuracy".
   */
  begin(layers: readonly string[], metric?: string): void {
    this.#recent = [];
    for (const [name, chart] of Object.entries(this.#charts)) {
      const curves = name === "ratios" ? layers : kinds[name as ChartName].curves;
      chart.begin(curves, name === "test" ? metric : undefined);
    }
  }

  /** Adds a step's loss, rate and gradient norm. */
  step({ index, loss, lr, gradientNorm }: StepShown): void {
    this.#recent = [...this.#recent.slice(-19), loss];
    const mean = this.#recent.reduce((sum, each) => sum + each, 0) / this.#recent.length;
    this.add("loss", index, [loss, mean]);
    if (lr !== undefined) this.add("rate", index, [lr]);
    if (gradientNorm !== undefined) this.add("norm", index, [gradientNorm]);
  }

  add(name: ChartName, step: number, values: readonly number[]): void {
    this.#charts[name].add(step, values);
  }

  /** Draws all charts if it is the last time, else at most the next one, not too soon after the one before. */
  draw(isLast = false): void {
    const shown = Object.values(this.#charts).filter(({ card }) => !card.hidden);
    if (isLast) for (const chart of shown) chart.draw();
    if (isLast || performance.now() - this.#drawnAt < leastPause) return;
    this.#drawnAt = performance.now();
    shown[this.#turn++ % shown.length]!.draw();
  }

  recolor(): void {
    for (const chart of Object.values(this.#charts)) chart.recolor();
  }
}

export interface StepShown {
  readonly index: number;
  readonly loss: number;
  readonly lr?: number;
  readonly gradientNorm?: number;
}
