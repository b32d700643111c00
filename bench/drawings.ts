// The charts of a result, as options for ECharts: the cost curve, and bars of the peers' times relative to ours. The SVG
// (charts.ts) and the page (live_charts.ts) draw the same.
import { logAxis } from "../src/lab/chart.ts";
import { amount, captionOf, digits, isPeer } from "./report.ts";
import { type Result, type Row, titleOfRow } from "./suite.ts";

export type Drawn = Pick<Result, "adapter" | "browser" | "date" | "rows">;

/** By engine: readable on white and on black, and distinct in the cost curve even without colours. */
const looks: Readonly<Record<string, readonly [color: string, symbol: string]>> = {
  fallline: ["#2b7de0", "circle"],
  tfjs: ["#e0701c", "rect"],
  jaxjs: ["#2a9d63", "triangle"],
  naive: ["#b15bd0", "diamond"],
  plain: ["#8a8f98", "emptyTriangle"],
  reference: ["#a8862f", "emptyDiamond"],
  stream: ["#d1495b", "emptyCircle"],
  copy: ["#1fa0a8", "emptyRect"],
};
const lookOf = (engine: string) => looks[engine] ?? (["#7d8fa8", "roundRect"] as const);

/** Cases on the curve: with any number of tensors for the model, else one, without clipping. */
const onCurve = ({ suite, case: name }: Row) =>
  ["update", "curve"].includes(suite) && /^adamw (1x\S+|gpt2-small 124M)$/.test(name);

/** Cases with bars; if a result has none of them, its first ones. */
export const mainCases: readonly string[] = [
  "update: adamw 1x1M",
  "update: adamw 64x16k",
  "update: adamw 200x1k",
  "norm: norm 1x1M",
  "gradient: train 784-1024-256-10 b128",
  "product: forward 128x1024x784",
  "sweep: sweep 784-32-10 b32 x16",
];
const mostBars = 8;

/** Room for the title with its caption, which may take two lines on a phone, for the legend, and for an axis with its name. */
const [titleRoom, legendRoom, axisRoom] = [58, 34, 52];

/**
 * Time of an AdamW step against n, one line per engine, on logarithmic axes. The roof is our step's bytes over the best bandwidth
 * that `stream` or `copy` reached, at sizes beyond caches if there are any.
 */
export function costChart(result: Drawn, dark = false) {
  const rows = result.rows.filter(onCurve);
  const lines = enginesOf(rows).flatMap((engine) => {
    const points = rows
      .filter((row) => row.engine === engine)
      .flatMap(({ n, ms }): [number, number][] => (ms !== null && ms > 0 && n > 0 ? [[n, ms]] : []))
      .sort(([a], [b]) => a - b);
    return points.length > 0 ? [{ engine, points }] : [];
  });
  const sizes = lines.flatMap(({ points }) => points.map(([n]) => n));
  const [least, most] = [Math.min(...sizes) / 1.4, Math.max(...sizes) * 1.4];
  const roof = lines.length > 0 ? roofOf(rows, least, most) : undefined;
  const heights = [...lines.flatMap(({ points }) => points), ...(roof?.points ?? [])].map(([, ms]) => ms);
  return {
    height: 480,
    ...frame({ result, dark, left: 74 }, "One AdamW step: time against the number of parameters", [
      ...lines.map(({ engine }) => ({ name: engine })),
      ...(roof ? [{ name: roof.name, icon: dashes }] : []),
    ]),
    xAxis: {
      ...axis("parameters (float32)", 30),
      ...ranged(least, most, amount),
    },
    yAxis: {
      ...axis("time of a step (ms)", 52),
      ...ranged(Math.min(...heights) / 1.2, Math.max(...heights) * 1.2, digits),
    },
    series: [
      ...lines.map(({ engine, points }) => {
        const [color, symbol] = lookOf(engine);
        const ours = engine === "fallline";
        const [lineStyle, z] = [{ width: ours ? 3 : 1.5 }, ours ? 4 : 3];
        return { type: "line", name: engine, data: points, color, symbol, symbolSize: 7, lineStyle, z };
      }),
      ...(roof
        ? [
            {
              ...{ type: "line", name: roof.name, data: roof.points, color: "#7b8794", symbol: "none", z: 2 },
              lineStyle: { type: "dashed", width: 2 },
            },
          ]
        : []),
    ],
  };
}

interface Roof {
  readonly name: string;
  readonly points: readonly (readonly [n: number, ms: number])[];
}

/** From this many parameters on, an update exceeds every cache that we know of. */
const beyondCaches = 2 ** 24;

function roofOf(rows: readonly Row[], least: number, most: number): Roof | undefined {
  const bounds = rows.filter(({ engine }) => !isPeer(engine));
  const large = bounds.filter(({ n }) => n >= beyondCaches);
  const bandwidth = Math.max(...(large.length > 0 ? large : bounds).map(({ gbPerSecond }) => gbPerSecond ?? 0));
  const perParam = rows.find(({ engine, bytesPerParam }) => engine === "fallline" && bytesPerParam)?.bytesPerParam;
  if (!(bandwidth > 0) || !perParam) return;
  const ms = (n: number) => (n * perParam) / bandwidth / 1e6;
  return {
    name: `roof: ${digits(perParam)} B a parameter at ${digits(bandwidth)} GB/s`,
    points: [least, most].map((n) => [n, ms(n)] as const),
  };
}

/** For each main case one bar per peer: its time over ours, on a logarithmic axis on which bars start at 1. */
export function timesChart(result: Drawn, dark = false) {
  const ours = result.rows.filter(
    ({ engine, ms, ratioTo }) => engine === "fallline" && ms !== null && Object.keys(ratioTo).some(isPeer),
  );
  const main = ours.filter((row) => mainCases.includes(titleOfRow(row)));
  const shown = main.length > 0 ? main : ours.slice(0, mostBars);
  const peers = [...new Set(shown.flatMap(({ ratioTo }) => Object.keys(ratioTo)))].filter(isPeer);
  const ratios = shown.flatMap(({ ratioTo }) => peers.flatMap((peer) => ratioTo[peer] ?? []));
  const bars = Math.max(1, peers.length);
  return {
    height: titleRoom + legendRoom + axisRoom + Math.max(1, shown.length) * (16 * bars + 14),
    ...frame(
      { result, dark, left: 196 },
      "Times relative to fallline's",
      peers.map((name) => ({ name })),
    ),
    xAxis: {
      ...axis("time / fallline's time", 30),
      // Room on the right for the label of the longest bar.
      ...ranged(Math.min(0.9, ...ratios), Math.max(2, ...ratios) * 1.5, digits),
    },
    yAxis: {
      type: "category",
      data: shown.map((row) => row.case),
      inverse: true,
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { interval: 0 },
    },
    series: peers.map((peer) => ({
      type: "bar",
      name: peer,
      color: lookOf(peer)[0],
      data: shown.map(({ ratioTo }) => ratioTo[peer] ?? "-"),
      barMaxWidth: 14,
      label: {
        show: true,
        position: "right",
        fontSize: 11,
        formatter: ({ value }: { value: number }) => `${digits(value)}×`,
      },
    })),
  };
}

/** Ours first, then in order of appearance. */
function enginesOf(rows: readonly Row[]): string[] {
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  return engines.sort((a, b) => Number(b === "fallline") - Number(a === "fallline"));
}

interface LegendItem {
  readonly name: string;
  readonly icon?: string;
}

/** A line without points would get a point in the legend. */
const dashes = "path://M0,5h6v2h-6zM9,5h6v2h-6zM18,5h6v2h-6z";

/** Title, caption, legend and margins; also for a screen as narrow as a phone's. */
function frame(
  { result, dark, left }: { readonly result: Drawn; readonly dark: boolean; readonly left: number },
  text: string,
  names: readonly LegendItem[],
) {
  const place = (narrow: boolean) => {
    const width = narrow ? 300 : 840;
    const legendLines = Math.ceil(
      names.reduce((sum, { name }) => sum + (narrow ? 46 : 60) + 5.6 * name.length, 0) / width,
    );
    const top = titleRoom + (narrow ? 32 : 0);
    const lineEnd = { width, overflow: "break" };
    return {
      title: {
        text,
        subtext: names.length > 0 ? captionOf(result) : `${captionOf(result)}: no measurements for this chart`,
        left: "center",
        itemGap: 5,
        textStyle: { fontSize: narrow ? 13 : 16, lineHeight: narrow ? 17 : 20, ...lineEnd },
        subtextStyle: { fontSize: narrow ? 10 : 12, lineHeight: 14, color: dark ? "#a5b1bd" : "#51606f", ...lineEnd },
      },
      // Without a browser, ECharts underestimates the width of long texts.
      legend: { top, itemGap: narrow ? 8 : 22, data: [...names], textStyle: { fontSize: narrow ? 10 : 12 } },
      grid: {
        left: narrow ? Math.min(left, 100) : left,
        right: narrow ? 14 : 30,
        top: top + legendRoom + Math.max(0, legendLines - 1) * 20,
        bottom: axisRoom,
      },
      // A category's name can be long.
      yAxis: {
        axisLabel: {
          ...{ width: (narrow ? Math.min(left, 100) : left) - 12, overflow: "break" },
          ...{ fontSize: narrow ? 10 : 12, lineHeight: 13 },
        },
      },
    };
  };
  const narrow = place(true);
  const wide = place(false);
  return { ...wide, media: [{ query: { maxWidth: 640 }, option: narrow }, { option: wide }] };
}

const axis = (name: string, nameGap: number) => ({
  name,
  nameLocation: "middle",
  nameGap,
  axisLine: { onZero: false },
});

/** A logarithmic axis over these values, or a default one if there are none. */
function ranged(least: number, most: number, write: (value: number) => string) {
  const some = least > 0 && Number.isFinite(most);
  const { axisLabel, ...rest } = logAxis(some ? [least, most] : [1, 10]);
  return { ...rest, axisLabel: { ...axisLabel, formatter: write } };
}
