// Curves that follow a run as it goes on, drawn by uPlot in the page's colours, as wide as where they stand.
import UPlot from "uplot";
import { short } from "../../base/short.ts";
import { h } from "./elements.ts";
import { color } from "./looks.ts";

export interface Curve {
  readonly label: string;
  /** The name of its colour in style.css. */
  readonly color: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly points?: boolean;
}

export interface CurvesOptions {
  /** What a screen reader says of the picture. */
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** In rem; default 21. */
  readonly height?: number;
  /** Where the pointer is, in the x of the curves; null once it leaves. */
  onPoint?(x: number | null): void;
}

/** The values of x, then those of each curve; null where there is none. */
export type CurveData = readonly (readonly (number | null)[])[];

/** A picture of curves. It stands in `element`, and draws what it is given once that is in the page. */
export class Curves {
  readonly element: HTMLElement;
  readonly #options: CurvesOptions;
  #data: CurveData;
  #range: readonly [number, number] | undefined;
  #plot: UPlot | undefined;
  #frame = 0;

  /** @param closed Takes it down. */
  constructor(options: CurvesOptions, closed: AbortSignal) {
    this.#options = options;
    this.#data = [[], ...options.curves.map(() => [])];
    this.element = h("div", { class: "curves", role: "img", "aria-label": options.title });
    this.element.style.height = `${options.height ?? 21}rem`;
    const sizes = new ResizeObserver(() => this.#later(() => this.#resize()));
    sizes.observe(this.element);
    closed.addEventListener("abort", () => {
      sizes.disconnect();
      cancelAnimationFrame(this.#frame);
      this.#plot?.destroy();
    });
  }

  /**
   * Draws these, at the next frame; of several calls the last.
   *
   * @param range Bounds of y; default what the data spans. A logarithmic axis takes at most some dozens of decades.
   */
  draw(data: CurveData, range?: readonly [number, number]): void {
    this.#data = data;
    this.#range = range;
    this.#later(() => (this.#plot ? this.#plot.setData(data as UPlot.AlignedData) : this.#resize()));
  }

  /** Takes the colours anew. */
  recolor(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#later(() => this.#resize());
  }

  #later(work: () => void): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(work);
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    if (this.#plot) {
      this.#plot.setSize({ width, height });
      this.#plot.setData(this.#data as UPlot.AlignedData);
    } else {
      this.#plot = new UPlot(this.#uplot(width, height), this.#data as UPlot.AlignedData, this.element);
    }
  }

  #uplot(width: number, height: number): UPlot.Options {
    const { x, y, curves, logX, logY, onPoint } = this.#options;
    const [ink, line] = [color("soft"), color("line")];
    // Of a logarithmic axis the powers of ten alone.
    const decades = { filter: (_: UPlot, splits: number[]) => splits.map((value) => (isDecade(value) ? value : null)) };
    const axis = (label: string, log = false): UPlot.Axis => ({
      label,
      stroke: ink,
      font: `${0.75 * rem()}px system-ui, sans-serif`,
      labelFont: `${0.8 * rem()}px system-ui, sans-serif`,
      labelSize: 1.4 * rem(),
      ...(log ? decades : {}),
      grid: { stroke: line, width: 1, ...(log ? decades : {}) },
      ticks: { stroke: line, width: 1, ...(log ? decades : {}) },
      values: (_, splits) => splits.map((value) => (value === null ? "" : short(value))),
    });
    return {
      width,
      height,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false },
      scales: {
        x: { time: false, ...(logX ? { distr: 3 } : {}) },
        y: {
          ...(logY ? { distr: 3 } : {}),
          range: (_, low, high) => [...(this.#range ?? spanOf(low, high, logY))],
        },
      },
      axes: [axis(x, logX), { ...axis(y, logY), size: 4 * rem() }],
      series: [
        {},
        ...curves.map(({ label, color: name, width = 2, dash, points }) => ({
          label,
          stroke: color(name),
          width,
          ...(dash ? { dash: [...dash] } : {}),
          points: { show: points ?? false },
        })),
      ],
      ...(onPoint
        ? {
            hooks: {
              setCursor: [
                (plot: UPlot) =>
                  onPoint(
                    plot.cursor.idx === null || plot.cursor.idx === undefined ? null : plot.data[0][plot.cursor.idx]!,
                  ),
              ],
            },
          }
        : {}),
    };
  }
}

const rem = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize);

const isDecade = (value: number) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

/** What an axis shows of values between these. */
function spanOf(low: number | null, high: number | null, log = false): readonly [number, number] {
  if (low === null || high === null) return log ? [0.1, 1] : [0, 1];
  if (log) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
  const room = 0.05 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - room, high + room];
}
