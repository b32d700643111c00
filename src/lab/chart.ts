// Charts of runs, range tests and schedules, as options for ECharts: the page draws them live, the CLI writes
// them as SVG.

import { short } from "../base/short.ts";
import type { CurvaturePoint } from "../train/curvature.ts";
import type { RangeEnd, RangePoint, Suggestions } from "./suggest.ts";

type Point = readonly [x: number, y: number];

export interface LossCurve {
  readonly title: string;
  readonly losses: readonly number[];
  /** The step at which the run diverged, to be marked; default none. */
  readonly divergedAt?: number | null;
}

export interface NamedLosses {
  readonly name: string;
  readonly losses: readonly number[];
}

/** An exponential mean with bias correction, so that the first values are not pulled towards zero. */
export function smooth(values: readonly number[]): number[] {
  const keep = 0.9;
  let mean = 0;
  return values.map((value, i) => {
    mean = keep * mean + (1 - keep) * value;
    return mean / (1 - keep ** (i + 1));
  });
}

/** Loss against the step, raw and smoothed; values that are not finite are left out. */
export function lossChart({ title, losses, divergedAt = null }: LossCurve) {
  const points = finitePoints(losses);
  const marks = divergedAt === null ? [] : [upright(`diverged at step ${divergedAt}`, divergedAt, points)];
  return {
    ...frame({ title, names: ["loss", "smoothed", ...marks.map(({ name }) => name)] }),
    xAxis: stepAxis(1, losses.length),
    yAxis: { name: "loss", ...valueAxis(points) },
    series: [...lossLines(points, smoothed(points)), ...marks],
  };
}

/** The same with the measured sharpness and the edge of stability on a second axis; without any, the loss alone. */
export function curvatureChart({
  curvature,
  ...losses
}: LossCurve & { readonly curvature: readonly Pick<CurvaturePoint, "step" | "sharpness" | "edge">[] }) {
  const chart = lossChart(losses);
  if (curvature.length === 0) return chart;
  const sharpness = curvature.map(({ step, sharpness }): Point => [step, sharpness]);
  const edges = curvature.flatMap(({ step, edge }): Point[] => (edge === null ? [] : [[step, edge]]));
  const color = "#c2410c";
  const right = [
    { ...line("sharpness", sharpness, color), lineStyle: { width: 2 } },
    ...(edges.length > 0 ? [{ ...line("edge", edges, color), lineStyle: { width: 1, type: "dashed" as const } }] : []),
  ].map((each) => ({ ...each, yAxisIndex: 1 }));
  const names = [...chart.series, ...right].map(({ name }) => name);
  return {
    ...chart,
    ...frame({ title: losses.title, names, right: true }),
    xAxis: chart.xAxis,
    yAxis: [chart.yAxis, { name: "sharpness", ...valueAxis([...sharpness, ...edges]), splitLine: { show: false } }],
    series: [...chart.series, ...right],
  };
}

/** The losses of several runs, each raw and smoothed in one colour; values that are not finite are left out. */
export function runsChart({ title, runs }: { readonly title: string; readonly runs: readonly NamedLosses[] }) {
  const colors = ["#0b4f9c", "#c2410c", "#15803d", "#7e22ce"];
  const curves = runs.map(({ losses }) => finitePoints(losses));
  const names = runs.map(({ name }) => lastParts(name));
  return {
    ...frame({ title, names }),
    xAxis: stepAxis(1, longest(runs)),
    yAxis: { name: "loss", ...valueAxis(curves.flat()) },
    series: curves.flatMap((points, index) => {
      const color = colors[index % colors.length]!;
      return [
        { ...line(names[index]!, points, color), lineStyle: { width: 1, opacity: 0.35 } },
        { ...line(names[index]!, smoothed(points), color), lineStyle: { width: 2 } },
      ];
    }),
  };
}

/** The mark of each suggestion, in order: distinguishable without colours, and where one covers another. */
const marks = [
  { symbol: "diamond", symbolSize: 18, color: "#c2410c" },
  { symbol: "triangle", symbolSize: 15, color: "#15803d" },
  { symbol: "circle", symbolSize: 11, color: "#7e22ce" },
  { symbol: "rect", symbolSize: 8, color: "#475569" },
  { symbol: "pin", symbolSize: 20, color: "#0f766e" },
  { symbol: "arrow", symbolSize: 14, color: "#a16207" },
];

/** A range test's losses against the rate, its suggestions marked on the smoothed curve, the one to take outlined. */
export function rangeChart({
  title,
  points,
  suggestions = {},
  suggested,
  ended = "complete",
  endedAt = null,
}: {
  readonly title: string;
  readonly points: readonly RangePoint[];
  readonly suggestions?: Partial<Suggestions["suggestions"]>;
  readonly suggested?: Suggestions["suggested"];
  /** How the test ended, and at which rate: the end of a diverged test is marked. */
  readonly ended?: RangeEnd;
  readonly endedAt?: number | null;
}) {
  const [low] = extent(points.flatMap(({ loss, smooth }) => [loss, smooth]));
  // Where the loss shoots up, a few values would flatten everything else.
  const [, high] = extent(points.map(({ smooth }) => smooth));
  const margin = 0.1 * (high - low) || 0.1 * Math.abs(high);
  const curve = points.map(({ lr, smooth }): Point => [lr, smooth]);
  const nearest = (lr: number) =>
    points.reduce((best, point) =>
      Math.abs(Math.log(point.lr / lr)) < Math.abs(Math.log(best.lr / lr)) ? point : best,
    );
  const marked = Object.entries(suggestions).flatMap(([name, { lr }], i) => {
    if (lr === null) return [];
    const { color, ...mark } = marks[i % marks.length]!;
    const taken = name === suggested?.name;
    return {
      ...line(`${name} ${short(lr)}`, [[lr, nearest(lr).smooth]], color),
      ...mark,
      ...(taken ? { symbolSize: 24, itemStyle: { borderColor: "#000000", borderWidth: 2.5 } } : {}),
      z: taken ? 3 : 4,
    };
  });
  const curves = ["loss", "smoothed"];
  const endWord = { diverged: "diverged", nonFinite: "not finite", complete: null, aborted: null }[ended];
  const ends = endWord === null || endedAt === null ? [] : [upright(`${endWord} at ${short(endedAt)}`, endedAt, curve)];
  const endNames = ends.map(({ name }) => name);
  const take = suggested?.name ? `suggested: ${suggested.name} (outlined)` : "";
  return {
    // A narrow page lists the suggestions below its buttons anyway.
    ...frame({
      title,
      subtext: take,
      names: [...curves, ...marked.map(({ name }) => name), ...endNames],
      narrowNames: [...curves, ...endNames],
    }),
    xAxis: {
      ...bottom("learning rate"),
      ...logAxis(extent([...points.map(({ lr }) => lr), ...(ends.length > 0 ? [endedAt!] : [])])),
    },
    yAxis: {
      name: "loss",
      ...linearAxis,
      ...(points.length > 0 ? { min: low - margin, max: high + margin } : {}),
      axisLabel: { ...linearAxis.axisLabel, showMinLabel: false, showMaxLabel: false },
    },
    series: [
      ...lossLines(
        points.map(({ lr, loss }) => [lr, loss]),
        curve,
      ),
      ...ends,
      ...marked,
    ],
  };
}

export interface ScheduleCurve {
  readonly title: string;
  /** The value of each step, from step 0. */
  readonly values: readonly number[];
}

/** A schedule's values against the step. */
export function scheduleChart({ title, values }: ScheduleCurve) {
  const points = values.map((value, step): Point => [step, value]);
  return {
    ...frame({ title, names: [] }),
    xAxis: stepAxis(0, values.length - 1),
    yAxis: linearAxis,
    series: [{ ...line("value", points, "#0b4f9c"), sampling: "minmax" as const }],
  };
}

/** The most entries that a picture has room for. */
const mostNames = 40;

/** Many runs side by side: smoothed losses, the best one marked, stopped ones drawn thin. */
export function sweepChart({
  title,
  runs,
  best,
}: {
  readonly title: string;
  readonly runs: readonly (NamedLosses & { readonly stopped: string | null })[];
  readonly best: number | null;
}) {
  const curves = runs.map(({ losses }) => {
    const end = losses.findIndex((loss) => !Number.isFinite(loss));
    return smooth(end < 0 ? losses : losses.slice(0, end));
  });
  // A diverging run would flatten all others: nothing far above the starting losses is drawn, as long as some run stays
  // below.
  const [, start] = extent(curves.flatMap((curve) => curve.slice(0, 1)));
  const far = start + 2 * Math.abs(start);
  const ceiling = curves.some((curve) => curve.length > 0 && extent(curve)[1] <= far) ? far : Number.POSITIVE_INFINITY;
  const drawn = curves.map((curve) =>
    // Higher values leave the picture at its top.
    curve.map((loss, i): Point => [i + 1, loss <= ceiling ? loss : ceiling + 10 * Math.abs(ceiling)]),
  );
  // The legend cannot tell apart two runs of the same name.
  const names = runs.map(({ name }, i) =>
    runs.some((other, j) => j < i && other.name === name) ? `${name} (${i + 1})` : name,
  );
  const listed = [...names.keys()]
    .sort((a, b) => Number(b === best) - Number(a === best) || runs[b]!.losses.length - runs[a]!.losses.length || a - b)
    .slice(0, mostNames)
    .sort((a, b) => a - b);
  const [width, room] = [900, Math.min(320, 40 + 7 * Math.max(0, ...listed.map((index) => names[index]!.length)))];
  const said = [
    ...(best === null ? [] : [`best: ${names[best]} (black)`]),
    ...(runs.some(({ stopped }) => stopped !== null) ? ["thin lines: stopped runs"] : []),
    ...(listed.length < runs.length ? [`only the ${listed.length} longest runs are named`] : []),
  ];
  const last = Math.max(1, runs.length - 1);
  return {
    width,
    height: Math.max(480, 100 + 17 * listed.length),
    title: heading(title, said.join("; "), false),
    legend: {
      orient: "vertical" as const,
      // Not from the right, for the same reason as in `frame`.
      left: width - room,
      top: 64,
      itemGap: 3,
      itemWidth: 20,
      textStyle: { fontSize: 11, width: room - 34, overflow: "truncate" as const },
      data: listed.map((index) => ({
        name: names[index]!,
        textStyle: { fontWeight: index === best ? ("bold" as const) : ("normal" as const) },
      })),
    },
    grid: { left: 60, right: room + 16, top: 84, bottom: 48 },
    xAxis: stepAxis(1, longest(runs)),
    yAxis: { name: "loss", ...valueAxis(drawn.flat().filter(([, loss]) => loss <= ceiling)) },
    series: drawn.map((points, index) => ({
      // From blue to red in the order of the trials.
      ...line(
        names[index]!,
        points,
        index === best ? "#000000" : `hsl(${Math.round(220 - (220 * index) / last)}, 70%, 45%)`,
      ),
      lineStyle: { width: index === best ? 3.5 : runs[index]!.stopped === null ? 2 : 1 },
      z: index === best ? 3 : 2,
    })),
  };
}

/** A line; for a single point, the point. */
function line(name: string, data: readonly Point[], color: string) {
  return { type: "line" as const, showSymbol: data.length === 1, name, data, color };
}

/** Losses, pale, and the same smoothed. */
const lossLines = (losses: readonly Point[], means: readonly Point[]) => [
  { ...line("loss", losses, "#7aa6d8"), lineStyle: { width: 1, opacity: 0.45 } },
  { ...line("smoothed", means, "#0b4f9c"), lineStyle: { width: 2 } },
];

/** A vertical line from the lowest of these points to the highest; without points, only its name in the legend. */
function upright(name: string, x: number, points: readonly Point[]) {
  const [lowest, highest] = extent(points.map(([, y]) => y));
  // With a single height there would be nothing to see.
  const room = lowest === highest ? Math.abs(highest) / 4 || 1 : 0;
  const [low, high] = [lowest - room, highest + room];
  return {
    ...line(
      name,
      (points.length > 0 ? [low, high] : []).map((y): Point => [x, y]),
      "#c2262d",
    ),
    lineStyle: { width: 2, type: "dashed" as const },
  };
}

function finitePoints(losses: readonly number[]): Point[] {
  return losses.map((loss, i): Point => [i + 1, loss]).filter(([, loss]) => Number.isFinite(loss));
}

function smoothed(points: readonly Point[]): Point[] {
  const means = smooth(points.map(([, loss]) => loss));
  return points.map(([step], i) => [step, means[i]!]);
}

function longest(runs: readonly NamedLosses[]): number {
  return runs.reduce((most, { losses }) => Math.max(most, losses.length), 0);
}

/** The least and the greatest value; infinities if there are none. */
function extent(values: readonly number[]): readonly [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** The start of a long name, and the last parts of a path in it. */
function lastParts(name: string): string {
  if (name.length <= 40) return name;
  const end = name.slice(-34);
  return `${name.slice(0, 3)}…${end.slice(Math.max(0, end.indexOf("/")))}`;
}

function heading(text: string, subtext: string, narrow: boolean) {
  return {
    text,
    subtext,
    left: "center",
    itemGap: 4,
    textStyle: { fontSize: narrow ? 13 : 15, lineHeight: 18, width: narrow ? 300 : 520, overflow: "break" as const },
  };
}

/** Title, legend and margins, also for a screen as narrow as a phone's. */
function frame({
  title,
  subtext = "",
  names,
  narrowNames = names,
  right = false,
}: {
  readonly title: string;
  readonly subtext?: string;
  readonly names: readonly string[];
  readonly narrowNames?: readonly string[];
  /** Whether there is an axis on the right too. */
  readonly right?: boolean;
}) {
  const place = (narrow: boolean) => {
    // A narrow title may take two lines.
    const top = (narrow || subtext ? 54 : 34) + (names.length > 0 ? 0 : -20);
    return {
      title: heading(title, narrow ? "" : subtext, narrow),
      // Without a browser ECharts underestimates the width of long texts.
      legend: {
        top,
        itemGap: Math.max(24, ...names.map((name) => 8 + 1.2 * name.length)),
        data: narrow ? narrowNames : names,
        show: names.length > 0,
      },
      // More than two names take a second line there.
      grid: {
        left: narrow ? 48 : 64,
        right: (narrow ? 16 : 28) + (right ? 34 : 0),
        top: top + (narrow && narrowNames.length > 2 ? 64 : 40),
        bottom: 48,
      },
      xAxis: { axisLabel: { fontSize: narrow ? 10 : 12 } },
    };
  };
  const wide = place(false);
  return { ...wide, media: [{ query: { maxWidth: 759 }, option: place(true) }, { option: wide }] };
}

const bottom = (name: string) => ({
  name,
  nameLocation: "middle" as const,
  nameGap: 28,
  axisLine: { onZero: false },
});

/** Steps from the first to the last one made; a single step has room around it. */
function stepAxis(first: number, last: number) {
  return {
    ...bottom("step"),
    type: "value" as const,
    min: first,
    max: Math.max(first + 1, last),
    minInterval: 1,
    axisLabel: { hideOverlap: true },
  };
}

const linearAxis = { type: "value" as const, scale: true, axisLabel: { formatter: short } };

/** Below this, ECharts finds no round values on a linear axis, and throws. */
const leastTop = 1e-3;

/** The part of a chart's description that {@link inReach} changes. */
interface Drawn {
  readonly yAxis?: unknown;
  readonly series?: unknown;
}

interface DrawnAxis {
  readonly type?: string;
  readonly min?: unknown;
  readonly max?: unknown;
  readonly axisLabel?: object;
}

interface DrawnSeries {
  readonly yAxisIndex?: number;
  /** Bars have numbers in place of points. */
  readonly data?: readonly unknown[];
}

/** A chart that ECharts can draw: tiny numbers on a linear y axis are drawn as multiples of a power of ten, under their own labels. */
export function inReach<T extends Drawn>(chart: T): T {
  const axes = [chart.yAxis ?? []].flat() as readonly DrawnAxis[];
  const all = [chart.series ?? []].flat() as readonly DrawnSeries[];
  const axisOf = ({ yAxisIndex = 0 }: DrawnSeries) => yAxisIndex;
  const pointsOf = ({ data = [] }: DrawnSeries) => data.filter((each): each is Point => Array.isArray(each));
  const powers = axes.map(({ type }, index) => {
    const heights = all.flatMap((each) => (axisOf(each) === index ? pointsOf(each).map(([, y]) => Math.abs(y)) : []));
    const [, top] = extent(heights.filter(Number.isFinite));
    return type === "value" && top > 0 && top < leastTop ? -Math.floor(Math.log10(top)) : 0;
  });
  if (powers.every((power) => power === 0)) return chart;
  // In two factors, since 10 ** 324 is no float64.
  const times = (value: number, power: number) =>
    value * 10 ** Math.trunc(power / 2) * 10 ** (power - Math.trunc(power / 2));
  const yAxis = axes.map((axis, index) => {
    const power = powers[index]!;
    const bound = (name: "min" | "max") => (typeof axis[name] === "number" ? { [name]: times(axis[name], power) } : {});
    const axisLabel = { ...axis.axisLabel, formatter: (value: number) => short(times(value, -power)) };
    return power === 0 ? axis : { ...axis, ...bound("min"), ...bound("max"), axisLabel };
  });
  const series = all.map((each) => {
    const power = powers[axisOf(each)] ?? 0;
    return power === 0 ? each : { ...each, data: pointsOf(each).map(([x, y]): Point => [x, times(y, power)]) };
  });
  return { ...chart, yAxis: Array.isArray(chart.yAxis) ? yAxis : yAxis[0], series };
}

/** A logarithmic axis for these points, or a linear one if some are not positive or all lie close together. */
function valueAxis(points: readonly Point[]) {
  const [low, high] = extent(points.map(([, y]) => y));
  return low > 0 && high > 2 * low ? logAxis([low / 1.05, high * 1.05]) : linearAxis;
}

interface LogAxis {
  readonly type: "log";
  readonly min?: number;
  readonly max?: number;
  readonly axisTick?: { readonly customValues: number[] };
  readonly axisLabel?: object;
}

/** A logarithmic axis from end to end, with labels at round values only: ECharts puts them at powers of ten and the ends. */
export function logAxis([low, high]: readonly [number, number]): LogAxis {
  if (low === high) return logAxis([low / 2, high * 2]);
  const decades = Math.log10(high / low);
  if (!Number.isFinite(decades)) return { type: "log" };
  const digits = decades <= 1 ? [1, 1.5, 2, 3, 4, 5, 7] : decades <= 2.5 ? [1, 2, 5] : [1];
  const stride = Math.ceil(decades / 10);
  const customValues: number[] = [];
  for (let power = Math.floor(Math.log10(low) / stride) * stride; power <= Math.log10(high); power += stride) {
    // Parsed from text, since 10 ** -5 is not 1e-5.
    const round = digits.map((digit) => Number(`${digit}e${power}`));
    customValues.push(...round.filter((value) => value >= low && value <= high));
  }
  return {
    type: "log",
    min: low,
    max: high,
    axisTick: { customValues },
    axisLabel: { customValues, formatter: short, hideOverlap: true },
  };
}

/** One curve of an experiment. */
export interface LabCurve {
  readonly name: string;
  readonly points: readonly Point[];
  /** How it is drawn: results as a line or dots, predictions dashed; default "line". */
  readonly style?: "line" | "dots" | "dashed";
}

/** Curves over the same axes. */
export interface LabPanel {
  readonly x: LabAxis;
  readonly y: LabAxis;
  readonly curves: readonly LabCurve[];
  /** Vertical lines at some x. */
  readonly marks?: readonly { readonly name: string; readonly at: number }[];
}

export interface LabAxis {
  readonly name: string;
  /** Whether it is logarithmic; default false. Values that are not positive are then left out. */
  readonly log?: boolean;
}

const labColors = ["#0b4f9c", "#c2410c", "#15803d", "#7e22ce", "#0f766e", "#a16207", "#475569", "#be185d"];
const panelHeight = 330;

/** The results of an experiment, panel below panel; values that are not finite are left out. */
export function labChart({ title, panels }: { readonly title: string; readonly panels: readonly LabPanel[] }) {
  const top = (index: number) => 40 + index * panelHeight;
  const drawn = panels.map(({ x, y, curves, marks = [] }) => {
    const kept = curves.map(({ points }) =>
      points.filter(
        ([across, up]) =>
          Number.isFinite(across) && Number.isFinite(up) && !(x.log && across <= 0) && !(y.log && up <= 0),
      ),
    );
    const all = kept.flat();
    const range = { x: extent(all.map(([across]) => across)), y: extent(all.map(([, up]) => up)) };
    return { x, y, curves, marks, kept, all, range };
  });
  const axis = (
    { name, log = false }: LabAxis,
    [low, high]: readonly [number, number],
    gridIndex: number,
    across: boolean,
  ) => ({
    gridIndex,
    ...(across ? bottom(name) : { name, axisLine: { onZero: false } }),
    ...(log && low > 0 ? logAxis([low, high]) : linearAxis),
  });
  return {
    width: 900,
    height: top(panels.length),
    title: { text: title, left: "center", textStyle: { fontSize: 15, width: 840, overflow: "break" as const } },
    legend: drawn.map(({ curves, marks }, index) => ({
      top: top(index),
      itemGap: Math.max(24, ...curves.map(({ name }) => 8 + 1.2 * name.length)),
      data: [...curves.map(({ name }) => name), ...marks.map(({ name }) => name)],
    })),
    grid: panels.map((_, index) => ({ left: 72, right: 28, top: top(index) + 50, height: panelHeight - 110 })),
    xAxis: drawn.map(({ x, range }, index) => axis(x, range.x, index, true)),
    yAxis: drawn.map(({ y, range }, index) => axis(y, range.y, index, false)),
    series: drawn.flatMap(({ curves, marks, kept, all }, index) => {
      const place = { xAxisIndex: index, yAxisIndex: index };
      return [
        ...curves.map(({ name, style = "line" }, i) => ({
          ...line(name, kept[i]!, labColors[i % labColors.length]!),
          ...place,
          ...(style === "dots"
            ? { showSymbol: true, symbol: "circle", symbolSize: kept[i]!.length > 500 ? 1 : 5, lineStyle: { width: 0 } }
            : { lineStyle: { width: 2, type: style === "dashed" ? ("dashed" as const) : ("solid" as const) } }),
        })),
        ...marks.map(({ name, at }) => ({ ...upright(name, at, all), ...place })),
      ];
    }),
  };
}
