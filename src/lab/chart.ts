// What a training run looks like as a chart, as options for ECharts: the page draws it live, the CLI writes it as SVG.
import type { RangePoint, Suggestions } from "./suggest.ts";

export interface LossCurve {
  readonly title: string;
  readonly losses: readonly number[];
}

/** An exponential mean with bias correction, so that the first values are not pulled towards zero. */
export function smooth(values: readonly number[], keep = 0.9): number[] {
  let mean = 0;
  return values.map((value, i) => {
    mean = keep * mean + (1 - keep) * value;
    return mean / (1 - keep ** (i + 1));
  });
}

/** Loss against the step, raw and smoothed, on a logarithmic axis where every loss is positive. */
export function lossChart({ title, losses }: LossCurve) {
  const points = (values: readonly number[]) => values.map((value, i) => [i + 1, value]);
  const line = { type: "line" as const, showSymbol: false };
  return {
    title: { text: title, left: "center", textStyle: { fontSize: 15 } },
    legend: { top: 36, data: ["loss", "smoothed"] },
    grid: { left: 60, right: 24, top: 76, bottom: 48 },
    xAxis: {
      type: "value" as const,
      name: "step",
      nameLocation: "middle" as const,
      nameGap: 28,
      min: 1,
      max: "dataMax" as const,
    },
    yAxis: {
      type: losses.every((loss) => loss > 0) ? ("log" as const) : ("value" as const),
      name: "loss",
      axisLabel: { formatter: (value: number) => String(Number(value.toPrecision(3))) },
    },
    series: [
      { ...line, name: "loss", data: points(losses), lineStyle: { width: 1, opacity: 0.45 }, color: "#7aa6d8" },
      { ...line, name: "smoothed", data: points(smooth(losses)), lineStyle: { width: 2 }, color: "#0b4f9c" },
    ],
  };
}

/** The losses of several runs, each raw and smoothed in one colour; what is not finite is left out. */
export function runsChart({ title, runs }: { readonly title: string; readonly runs: readonly NamedLosses[] }) {
  const colors = ["#0b4f9c", "#c2410c", "#15803d", "#7e22ce"];
  const finite = runs.map(({ losses }) =>
    losses.map((loss, i) => [i + 1, loss] as const).filter(([, y]) => Number.isFinite(y)),
  );
  const series = runs.flatMap(({ name }, index) => {
    const points = finite[index]!;
    const means = smooth(points.map(([, loss]) => loss));
    const line = { type: "line" as const, showSymbol: false, name, color: colors[index % colors.length]! };
    return [
      { ...line, data: points, lineStyle: { width: 1, opacity: 0.35 } },
      { ...line, data: points.map(([step], i) => [step, means[i]!]), lineStyle: { width: 2 } },
    ];
  });
  const frame = lossChart({ title, losses: finite.flatMap((points) => points.map(([, loss]) => loss)) });
  return { ...frame, legend: { top: 36, data: runs.map(({ name }) => name) }, series };
}

export interface NamedLosses {
  readonly name: string;
  readonly losses: readonly number[];
}

/** A range test's losses against the rate, its suggestions marked on the smoothed curve. */
export function rangeChart({
  title,
  points,
  suggestions = {},
}: {
  readonly title: string;
  readonly points: readonly RangePoint[];
  readonly suggestions?: Partial<Suggestions["suggestions"]>;
}) {
  const colors = ["#c2410c", "#15803d", "#7e22ce", "#b45309"];
  const frame = lossChart({ title, losses: [] });
  const low = Math.min(...points.flatMap(({ loss, smooth }) => [loss, smooth]));
  // Where the loss shoots up, single values would flatten everything else.
  const high = Math.max(...points.map(({ smooth }) => smooth));
  const margin = 0.1 * (high - low);
  const nearest = (lr: number) =>
    points.reduce((best, point) =>
      Math.abs(Math.log(point.lr / lr)) < Math.abs(Math.log(best.lr / lr)) ? point : best,
    );
  const marks = Object.entries(suggestions).flatMap(([name, { lr }], i) =>
    lr === null
      ? []
      : {
          type: "line" as const,
          name: `${name} ${lr.toExponential(1)}`,
          data: [[lr, nearest(lr).smooth]],
          symbol: "diamond",
          symbolSize: 14,
          color: colors[i % colors.length]!,
        },
  );
  const [raw, smoothed] = frame.series;
  return {
    ...frame,
    legend: { top: 36, itemGap: 24, data: ["loss", "smoothed", ...marks.map(({ name }) => name)] },
    xAxis: {
      ...frame.xAxis,
      type: "log" as const,
      name: "learning rate",
      min: "dataMin" as const,
      axisLabel: { formatter: (value: number) => value.toExponential(0) },
    },
    yAxis: {
      ...frame.yAxis,
      type: "value" as const,
      ...(points.length > 0 ? { min: low - margin, max: high + margin } : {}),
    },
    series: [
      { ...raw!, data: points.map(({ lr, loss }) => [lr, loss]) },
      { ...smoothed!, data: points.map(({ lr, smooth }) => [lr, smooth]) },
      ...marks,
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
  return {
    title: { text: title, left: "center", textStyle: { fontSize: 15 } },
    grid: { left: 80, right: 24, top: 48, bottom: 48 },
    xAxis: {
      type: "value" as const,
      name: "step",
      nameLocation: "middle" as const,
      nameGap: 28,
      max: "dataMax" as const,
    },
    yAxis: {
      type: "value" as const,
      scale: true,
      axisLabel: { formatter: (value: number) => String(Number(value.toPrecision(3))) },
    },
    series: [
      {
        type: "line" as const,
        showSymbol: false,
        sampling: "minmax" as const,
        name: "value",
        data: values.map((value, step) => [step, value]),
        color: "#0b4f9c",
      },
    ],
  };
}

/** Many runs side by side: smoothed losses, the best one marked, those that were stopped drawn thin. */
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
  // A diverging run would press all others into the ground: nothing above three times where they began is drawn.
  const ceiling = 3 * Math.max(...curves.flatMap((curve) => curve.slice(0, 1)));
  const drawn = curves.map((curve) => curve.filter((loss) => loss <= ceiling));
  const frame = lossChart({ title, losses: drawn.flat() });
  const last = Math.max(1, runs.length - 1);
  return {
    ...frame,
    legend: { type: "scroll" as const, top: 36, data: runs.map(({ name }) => name) },
    series: runs.map(({ name, stopped }, index) => ({
      type: "line" as const,
      showSymbol: false,
      name,
      data: curves[index]!.map((loss, i) => [i + 1, loss] as const).filter(([, loss]) => loss <= ceiling),
      // From blue to red in the order of the trials.
      color: index === best ? "#000000" : `hsl(${Math.round(220 - (220 * index) / last)}, 70%, 45%)`,
      lineStyle: { width: index === best ? 3.5 : stopped === null ? 2 : 1 },
      z: index === best ? 3 : 2,
    })),
  };
}
