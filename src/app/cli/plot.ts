// Plots in the terminal, as wide as it is: one line, or several distinguished by letters, since colours do not survive a pipe.
import { plot } from "simple-ascii-chart";
import { short } from "../../base/short.ts";

export interface PlotSeries {
  readonly name: string;
  /** In the order of x; those that are not finite (on a logarithmic axis, not positive) are left out. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotOptions {
  readonly title?: string;
  readonly xLabel?: string;
  /** Drawn above the y axis. */
  readonly yLabel?: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Columns of the whole plot; default: the terminal's, and 80 where there is none. */
  readonly columns?: number;
}

type Point = [x: number, y: number];

/** An axis of the plot, which is linear in the places of values. */
interface Axis {
  to(value: number): number;
  from(place: number): number;
  /** About `count` places of round values in [low, high]. */
  ticks(low: number, high: number, count: number): number[];
}

const linear: Axis = { to: (value) => value, from: (place) => place, ticks: roundValues };

const logarithmic: Axis = {
  to: Math.log10,
  from: (place) => 10 ** place,
  ticks(low, high, count) {
    if (high - low < 2) return roundValues(10 ** low, 10 ** high, count).map(Math.log10);
    const step = Math.ceil((high - low) / count);
    const first = Math.ceil(low / step) * step;
    return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step);
  },
};

const rows = 15;
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Lines of text; if there is no point to show, a line that says so. */
export function terminalPlot(series: readonly PlotSeries[], options: PlotOptions): string {
  const columns = options.columns ?? process.stdout.columns ?? 80;
  const x = options.logX ? logarithmic : linear;
  const y = options.logY ? logarithmic : linear;
  const all = series.map(({ points }) =>
    points.map(([a, b]): Point => [x.to(a), y.to(b)]).filter((point) => point.every(Number.isFinite)),
  );
  const heading = [options.title, options.yLabel].filter((text) => text !== undefined);
  const drawn = series.flatMap(({ name }, i) => (all[i]!.length > 0 ? [{ name, points: all[i]! }] : []));
  if (drawn.length === 0) return [...heading, "nothing to plot: no point is finite"].join("\n");

  const [left, right] = extent(drawn.flatMap(({ points }) => points.map(([a]) => a)));
  const [bottom, top] = extent(drawn.flatMap(({ points }) => points.map(([, b]) => b)));
  const [xTicks, yTicks] = [x.ticks(left, right, 6), y.ticks(bottom, top, 5)];
  const widest = Math.max(...yTicks.map((tick) => label(y.from(tick)).length));
  const width = Math.max(20, columns - widest - 4);
  const thinned = drawn.map(({ points }) => thin(points, left, right, width));
  const several = drawn.length > 1;
  let line = -1;
  const graph = plot(thinned, {
    width,
    height: rows,
    customXAxisTicks: xTicks,
    customYAxisTicks: yTicks,
    // The points' labels are never drawn, but the plot derives the width of its margin from them.
    formatter(place, { axis }) {
      if (axis === "x") return xTicks.includes(place) ? label(x.from(place)) : "";
      return yTicks.includes(place) ? label(y.from(place)) : " ".repeat(widest);
    },
    ...(bottom === top ? { yRange: [bottom - 1, top + 1] } : {}),
    ...(options.xLabel === undefined ? {} : { xLabel: options.xLabel }),
    ...(several
      ? {
          // The plot draws one line after the other, each from its first point.
          lineFormatter({ index, plotX, plotY }) {
            if (index === 0) line++;
            return { x: plotX, y: plotY, symbol: letters[line % letters.length]! };
          },
        }
      : {}),
  });
  const legend = several ? drawn.map(({ name }, i) => `${letters[i % letters.length]} ${name}`) : [];
  const lines = graph.split("\n").map((text) => text.trimEnd());
  return [...heading, ...lines.filter((text) => text !== ""), ...wrapped(legend, columns)].join("\n");
}

/** One point per column: of several, the one farthest from the point before it, so that no spike is lost. */
function thin(points: readonly Point[], left: number, right: number, columns: number): Point[] {
  const column = (at: number) => (right === left ? 0 : Math.round(((at - left) / (right - left)) * (columns - 1)));
  const thinned: Point[] = [];
  let before: number | undefined;
  for (const point of points) {
    const last = thinned.at(-1);
    if (!last || column(last[0]) !== column(point[0])) {
      before = last?.[1];
      thinned.push(point);
    } else if (before !== undefined && Math.abs(point[1] - before) > Math.abs(last[1] - before)) {
      thinned[thinned.length - 1] = point;
    }
  }
  return thinned;
}

function extent(values: readonly number[]): readonly [number, number] {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

/** Round values; the ends if none fit between them. */
function roundValues(low: number, high: number, count: number): number[] {
  if (low === high) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((times) => times * power >= raw) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const found = Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, i) =>
    Math.min(high, Math.max(low, (first + i) * step)),
  );
  return found.length > 1 ? found : [low, high];
}

const label = short;

/** Entries side by side in lines of at most `columns` columns. */
function wrapped(entries: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const entry of entries) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 3 + entry.length <= columns) lines[lines.length - 1] = `${last}   ${entry}`;
    else lines.push(entry);
  }
  return lines;
}
