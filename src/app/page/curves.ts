// Curves that follow a run in progress, drawn by uPlot in the page's colours, as wide as their container.
import UPlot from "uplot";
import { short } from "../../base/short.ts";
import { h } from "./elements.ts";
import { color, rem } from "./looks.ts";

export interface Curve {
  readonly label: string;
  /** The name of its colour in style.css. */
  readonly color: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly points?: boolean;
}

export interface CurvesOptions {
  /** The picture's name for screen readers. */
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** In rem; default 21. */
  readonly height?: number;
  /** The text shown before there is anything to draw. */
  readonly empty?: string;
  /** Where the pointer is, in the x of the curves; null once it leaves. */
  onPoint?(x: number | null): void;
}

/** The values of x, then those of each curve; null where there is none. */
export type CurveData = readonly (readonly (number | null)[])[];

/** A picture of curves in `element`, which draws its data once the element is in the page. */
export class Curves {
  readonly element: HTMLElement;
  readonly #options: CurvesOptions;
  #data: CurveData;
  #range: readonly [number, number] | undefined;
  #plot: UPlot | undefined;
  #frame = 0;
  /** Bounds of the axes while they are held. */
  #held: { readonly x: readonly [number, number]; readonly y: readonly [number, number] } | undefined;
  /** Called after each drawing. */
  onDraw: () => void = () => {};

  /** @param closed Removes the picture. */
  constructor(options: CurvesOptions, closed: AbortSignal) {
    this.#options = options;
    this.#data = [[], ...options.curves.map(() => [])];
    const { title, empty = "nothing drawn yet" } = options;
    this.element = h("div", { class: "curves", role: "img", "aria-label": title, "data-empty": empty });
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
   * Draws these in the next frame; of several calls, the last counts.
   *
   * @param range Bounds of y; default those of the data. A logarithmic axis can span at most some dozens of decades.
   */
  draw(data: CurveData, range?: readonly [number, number]): void {
    this.#data = data;
    this.#range = range;
    if (data[0]!.length > 0) this.element.removeAttribute("data-empty");
    this.#later(() => (this.#plot ? this.#plot.setData(data as UPlot.AlignedData) : this.#resize()));
  }

  /** Applies the page's current colours. */
  recolor(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#later(() => this.#resize());
  }

  /** Fixes the axes while something on them is moved, or lets them follow the data again. */
  hold(held: boolean): void {
    const { x, y } = this.#plot?.scales ?? {};
    const isDrawn = typeof x?.min === "number" && typeof y?.min === "number";
    this.#held = held && isDrawn ? { x: [x.min!, x.max!], y: [y.min!, y.max!] } : undefined;
    if (!held) this.draw(this.#data, this.#range);
  }

  /** Where a value is, in pixels from the element's corner; undefined before it is drawn. */
  placeOf(x: number, y: number): readonly [left: number, top: number] | undefined {
    const plot = this.#plot;
    if (typeof plot?.scales.x?.min !== "number" || typeof plot.scales.y?.min !== "number") return undefined;
    const { left, top } = this.#corner(plot);
    return [left + plot.valToPos(x, "x"), top + plot.valToPos(y, "y")];
  }

  /** The value at a place, within the axes; undefined before it is drawn. */
  valueAt(left: number, top: number): readonly [x: number, y: number] | undefined {
    const plot = this.#plot;
    if (!plot) return undefined;
    const corner = this.#corner(plot);
    const { width, height } = plot.over.getBoundingClientRect();
    const within = (at: number, most: number) => Math.min(most, Math.max(0, at));
    return [
      plot.posToVal(within(left - corner.left, width), "x"),
      plot.posToVal(within(top - corner.top, height), "y"),
    ];
  }

  /** The spans of the axes; undefined before it is drawn. */
  spans(): { readonly x: number; readonly y: number } | undefined {
    const { x, y } = this.#plot?.scales ?? {};
    if (typeof x?.min !== "number" || typeof y?.min !== "number") return undefined;
    return { x: x.max! - x.min, y: y.max! - y.min };
  }

  #corner(plot: UPlot): { readonly left: number; readonly top: number } {
    const [over, element] = [plot.over.getBoundingClientRect(), this.element.getBoundingClientRect()];
    return { left: over.left - element.left, top: over.top - element.top };
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
    // On a logarithmic axis only powers of ten.
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
        x: {
          time: false,
          ...(logX ? { distr: 3 } : { range: (_, low, high) => [...(this.#held?.x ?? [low ?? 0, high ?? 1])] }),
        },
        y: {
          ...(logY ? { distr: 3 } : {}),
          range: (_, low, high) => [...(this.#held?.y ?? this.#range ?? spanOf(low, high, logY))],
        },
      },
      axes: [
        { ...axis(x, logX), size: 2.2 * rem() },
        { ...axis(y, logY), size: 4 * rem() },
      ],
      series: [
        {},
        ...curves.map(({ label, color: name, width = 2, dash, points }) => ({
          label,
          stroke: color(name),
          width,
          ...(dash ? { dash: [...dash] } : {}),
          // A single value makes no line.
          points: {
            show:
              points ??
              ((plot: UPlot, i: number) =>
                Array.from<unknown>(plot.data[i]!).filter((value) => value !== null).length === 1),
          },
        })),
      ],
      hooks: {
        draw: [() => this.onDraw()],
        ...(onPoint
          ? {
              setCursor: [
                (plot: UPlot) =>
                  onPoint(
                    plot.cursor.idx === null || plot.cursor.idx === undefined ? null : plot.data[0][plot.cursor.idx]!,
                  ),
              ],
            }
          : {}),
      },
    };
  }
}

const isDecade = (value: number) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

/** The bounds of an axis for values between these. */
function spanOf(low: number | null, high: number | null, log = false): readonly [number, number] {
  if (low === null || high === null) return log ? [0.1, 1] : [0, 1];
  if (log) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
  const room = 0.05 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - room, high + room];
}
