// What a training run looks like as a chart, as options for ECharts: the page draws it live, the CLI writes it as SVG.

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
