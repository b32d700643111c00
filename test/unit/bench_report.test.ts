// What a result of the benchmark looks like: tables, the summary, remarks and the SVG, of made-up rows and of too few.
import { describe, expect, it } from "vitest";
import { pageCases, titleOf } from "../../bench/cases.ts";
import { svgOf } from "../../bench/charts.ts";
import { costChart, mainCases, timesChart } from "../../bench/drawings.ts";
import { amount, digits, markdownOf, remarksOf, summaryOf, tablesOf, textOf } from "../../bench/report.ts";
import { emptyRow, type Result, type Row } from "../../bench/suite.ts";

const blank = (suite: string, name: string, engine: string, n = 1000) =>
  emptyRow({ suite, name, n, tensors: 1 }, engine);

/** A case in which each engine takes so many ms, ours last as the suite may have it. */
function rowsOf(suite: string, name: string, given: Readonly<Record<string, number>>, n = 1000): Row[] {
  const ms: Readonly<Record<string, number>> = { fallline: 1, ...given };
  const { fallline: ours = 1, ...others } = ms;
  const ratios = Object.entries(others).map(([engine, its]) => [engine, its / ours] as const);
  return [...Object.keys(others), "fallline"].map((engine) => ({
    ...blank(suite, name, engine, n),
    ...{ ms: ms[engine]!, spread: 0.2, paramsPerSecond: (1000 * n) / ms[engine]!, dispatches: 1 },
    ...{ bytesPerParam: engine === "tfjs" ? 128 : 28, gbPerSecond: (28 * n) / ms[engine]! / 1e6, agrees: true },
    ratioToStream: ms.stream && engine !== "stream" ? ms[engine]! / ms.stream : null,
    ratioTo: engine === "fallline" ? Object.fromEntries(ratios) : {},
  }));
}

const result = (rows: readonly Row[], more: Partial<Result> = {}): Result => ({
  format: "fallline-bench/1",
  adapter: { vendor: "acme", architecture: "a1", description: "<A & B>", software: true },
  browser: "Chrome/1",
  date: "2026-11-22T12:00:00.000Z",
  quick: false,
  timestamps: null,
  rows,
  ...more,
});

const update = rowsOf("update", "adamw 1x1M", { tfjs: 8, naive: 2, stream: 0.8 }, 2 ** 20);
const failed: Row = { ...blank("update", "adamw 1x1M", "jaxjs"), error: "it would not" };
const curve = [
  ...rowsOf("curve", "adamw 1x1k", { tfjs: 3, stream: 0.1, fallline: 0.2 }, 1024),
  ...rowsOf("curve", "adamw 1x67M", { stream: 90, fallline: 100 }, 2 ** 26),
];
const size: Row[] = [
  { ...blank("size", "library", "fallline"), bytes: 1000, ms: null },
  { ...blank("size", "library", "tfjs"), bytes: 15_500 },
];
const host: Row = { ...blank("host", "encode", "fallline"), ms: 0.0213, spread: 0.002 };

describe("numbers", () => {
  it.each([
    [null, "–"],
    [0, "0"],
    [0.012345, "0.0123"],
    [123_456, "123,456"],
  ])("%s is written %s", (value, text) => expect(digits(value)).toBe(text));

  it.each([
    [null, "–"],
    [12.34, "12.3"],
    [999.9, "1k"],
    [16_777_217, "16.8M"],
    [3.3e9, "3.3G"],
    [999_999_999, "1G"],
  ])("%s of something is written %s", (value, text) => expect(amount(value)).toBe(text));
});

describe("tables", () => {
  it("stand in the order of suites, rows of a case together and ours first, with the columns that mean something", () => {
    const tables = tablesOf([...size, host, ...curve, ...update, failed, blank("new", "some", "tfjs")]);
    expect(tables.map(({ title }) => title)).toEqual(["update", "curve", "host", "size", "new"]);
    const [first, , inHost, inSize] = tables;
    expect(first!.head).toEqual([
      "ms",
      "±",
      "params/s",
      "GB/s",
      "dispatches",
      "B/param",
      "× stream",
      "× bytes",
      "× ours",
    ]);
    expect(first!.cases).toHaveLength(1);
    const { name, rows } = first!.cases[0]!;
    expect(name).toBe("adamw 1x1M");
    expect(rows.map(({ engine, ours }) => [engine, ours])).toEqual([
      ["fallline", true],
      ["tfjs", false],
      ["naive", false],
      ["stream", false],
      ["jaxjs", false],
    ]);
    expect(rows[0]!.cells).toEqual(["1", "0.1", "1.05G", "29.4", "1", "28", "1.25", "–", ""]);
    expect(rows[1]!.cells.at(-1)).toBe("8");
    expect(rows[1]!.cells.at(-2)).toBe("4.57");
    expect(rows[4]!.cells).toEqual(["failed", ...Array(8).fill("–")]);
    expect(inHost!.head).toEqual(["µs", "±"]);
    expect(inHost!.cases[0]!.rows[0]!.cells).toEqual(["21.3", "1"]);
    expect(inSize!.head).toEqual(["bytes", "× ours"]);
    expect(inSize!.cases[0]!.rows.map(({ cells }) => cells)).toEqual([
      ["1,000", ""],
      ["15,500", "15.5"],
    ]);
  });

  it("give a peer's bytes over ours, and none for the CPU and bounds", () => {
    const rows = rowsOf("update", "adamw 1x64k", { tfjs: 9, plain: 0.5, stream: 0.8 });
    const [{ head, cases }] = tablesOf(rows) as [ReturnType<typeof tablesOf>[number]];
    const at = head.indexOf("× bytes");
    expect(cases[0]!.rows.map(({ engine, cells }) => [engine, cells[at]])).toEqual([
      ["fallline", "–"],
      ["tfjs", "4.57"],
      ["plain", "–"],
      ["stream", "–"],
    ]);
  });

  it("tell a step's time from a launch's", () => {
    const launch = { steps: [40, 10], slopeMs: 0.5, interceptMs: 2, togetherMs: null } as const;
    const [{ head, cases }] = tablesOf([{ ...blank("launch", "adamw 1x1k", "fallline"), ms: 0.55, launch }]) as [
      ReturnType<typeof tablesOf>[number],
    ];
    expect(head).toEqual(["ms", "steps a turn", "slope ms", "intercept ms"]);
    expect(cases[0]!.rows[0]!.cells).toEqual(["0.55", "40", "0.5", "2"]);
  });

  it("keep two suites' cases of one name apart", () => {
    const tables = tablesOf([...rowsOf("gradient", "train", { tfjs: 2 }), ...rowsOf("cpu", "train", { plain: 3 })]);
    expect(tables.map(({ cases }) => cases[0]!.rows.map(({ engine }) => engine))).toEqual([
      ["fallline", "tfjs"],
      ["fallline", "plain"],
    ]);
  });
});

describe("the summary", () => {
  it("has a line for each case of ours: its time, and each peer's over it", () => {
    const { head, lines } = summaryOf([...update, failed, ...curve, host, ...size]);
    expect(head).toEqual(["case", "ours", "tfjs", "naive", "× stream"]);
    expect(lines).toEqual([
      ["update: adamw 1x1M", "1 ms", "8", "2", "1.25"],
      ["curve: adamw 1x1k", "0.2 ms", "15", "", "2"],
      ["curve: adamw 1x67M", "100 ms", "", "", "1.11"],
      ["host: encode", "21.3 µs", "", "", ""],
      ["size: library", "1,000 bytes", "15.5", "", ""],
    ]);
  });

  it("says where ours failed, and leaves out cases without it", () => {
    const rows = [{ ...blank("norm", "norm", "fallline"), error: "lost" }, blank("norm", "other", "tfjs")];
    expect(summaryOf(rows).lines).toEqual([["norm: norm", "failed"]]);
  });
});

describe("remarks", () => {
  it("come once for all rows that they hold for, what went wrong first", () => {
    const cases = ["a", "b", "c", "d", "e"];
    const remarked = cases.map((name): Row => ({ ...blank("update", name, "tfjs"), note: "Adam alone" }));
    const both = ["naive", "jaxjs"].map((engine): Row => ({ ...blank("start", "cold", engine), note: "the first" }));
    expect(remarksOf([...remarked, ...both, failed])).toEqual([
      "jaxjs (adamw 1x1M): no time, because it would not.",
      "tfjs (a; b; c; 2 more): Adam alone.",
      "naive, jaxjs (cold): the first.",
    ]);
  });

  it("end in one full stop where the message has its own", () => {
    const rows: Row[] = [{ ...failed, error: "Device was destroyed." }];
    expect(remarksOf(rows)).toEqual(["jaxjs (adamw 1x1M): no time, because Device was destroyed."]);
  });
});

describe("text and Markdown", () => {
  it("begin with what must be known to judge the numbers", () => {
    const more: Partial<Result> = { timestamps: { quantumMs: 0.1 }, incomplete: "stopped", quick: true };
    const text = textOf(result([...update, failed], more));
    const head = text.split("\n\n", 1)[0]!.split("\n");
    expect(head.slice(0, 4)).toEqual([
      "Incomplete: stopped.",
      "Adapter: <A & B> (acme a1), a software adapter: it emulates a GPU on the CPU.",
      "Browser: Chrome/1. Started: 2026-11-22T12:00:00.000Z, a quick run.",
      "GPU timestamps: rounded to 0.1 ms.",
    ]);
    expect(head.at(-1)).toBe("1 of 5 rows have no time; the remarks at the end say why.");
    expect(text).toMatch(/no time, because it would not\.$/);
    expect(textOf(result(update, { timestamps: { quantumMs: 1e-6 } }))).toContain("GPU timestamps: not rounded.");
    const complete = markdownOf(result(update));
    expect(complete).toContain("- GPU timestamps: not offered.");
    expect(complete).not.toContain("Incomplete");
  });

  it("fit a terminal of 120 columns", () => {
    const wide = update.map((row): Row => {
      const counts = { dispatches: 2800, passes: 1308, submits: 1187, bindGroups: 2800, hostBytes: 102_408 };
      return { ...row, ...counts, gpuMs: 0.0123, ms: 0.0123, case: "adamw gpt2-small 124M clip" };
    });
    for (const line of textOf(result(wide)).split("\n")) expect(line.length).toBeLessThanOrEqual(120);
  });

  it("name each case above its rows in the terminal, and in each row in Markdown", () => {
    const rows = [...update, ...rowsOf("update", "adamw 64x16k", { tfjs: 2 })];
    const lines = textOf(result(rows)).split("\n");
    const at = lines.indexOf("adamw 1x1M");
    expect(lines.slice(at, at + 6).map((line) => line.trim().split(/ {2,}/, 1)[0])).toEqual([
      "adamw 1x1M",
      "fallline",
      "tfjs",
      "naive",
      "stream",
      "adamw 64x16k",
    ]);
    const markdown = markdownOf(result(rows));
    expect(markdown).toContain("| adamw 64x16k | **fallline** | 1 | 0.1 |");
    expect(markdown).toContain("| update: adamw 1x1M | 1 ms | 8 | 2 | 1.25 |");
  });

  it("have the kernels of rows that have them", () => {
    const kernels = [{ kernel: "update|a", ms: 2, share: 1, gflops: null }];
    const rows: Row[] = [{ ...host, kernels }];
    expect(textOf(result(rows))).toContain("fallline, encode: each kernel by itself, 2 ms together");
    expect(markdownOf(result(rows))).toContain("| update\\|a | 2 | 100.0 % | – |");
  });

  it("need no rows", () => {
    expect(textOf(result([]))).toMatch(/^Adapter: .*quartiles\.$/s);
    expect(markdownOf(result([]))).not.toContain("|");
  });
});

/** Throws where a tag is not closed in its turn, or a text has what must be written otherwise. */
function checkXml(text: string): void {
  const open: string[] = [];
  const marked = text.replace(/<!\[CDATA\[.*?\]\]>/gs, "");
  for (const [, tag, words] of marked.matchAll(/<((?:"[^"]*"|[^>"])*)>([^<]*)/g)) {
    const name = /^\/?([\w:]+)/.exec(tag!)?.[1];
    if (name === undefined) throw new Error(`no name in <${tag}>`);
    if (tag!.startsWith("/")) {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
    } else if (!tag!.endsWith("/")) open.push(name);
    const attributes = tag!.replace(/^\/?[\w:]+/, "").replace(/\/$/, "");
    if (!/^(\s+[\w:-]+="[^"<]*")*\s*$/.test(attributes)) throw new Error(`attributes of <${tag}>`);
    if (/&(?!(amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/i.test(`${words}${tag}`)) throw new Error(`an & in ${words}`);
  }
  if (open.length > 0) throw new Error(`${open} are open`);
}

describe("the SVG", () => {
  const all = result([...update, failed, ...curve]);

  it("is one document with both charts: axes, every engine, the roof, and where and when it ran", () => {
    const svg = svgOf(all);
    checkXml(svg);
    expect(svg.match(/<svg /g)).toHaveLength(3);
    for (const text of ["parameters (float32)", "time of a step (ms)", "time / fallline's time"]) {
      expect(svg).toContain(`>${text.replace("'", "&#39;")}<`);
    }
    for (const engine of ["fallline", "tfjs", "naive", "stream"]) expect(svg).toContain(`>${engine}<`);
    expect(svg).not.toContain(">jaxjs<");
    // The best of all stream rows: 28 B × 2^20 in 0.8 ms.
    expect(svg).toContain(">roof: 28 B a parameter at 20.9 GB/s<");
    expect(svg).toContain(">&lt;A &amp; B&gt; (acme a1), a software adapter; Chrome/1; 2026-11-22<");
  });

  it("has an engine's times in the order of n, clipping and other rules left out", () => {
    const others = [
      ...rowsOf("update", "adamw 1x1M clip", { fallline: 7 }, 2 ** 20),
      ...rowsOf("update", "lion 1x1M", { fallline: 7 }, 2 ** 20),
      ...rowsOf("update", "adamw 64x16k", { fallline: 7 }, 2 ** 20),
    ];
    const { series } = costChart(result([...others, ...update, ...curve]));
    const ours = series.find(({ name }) => name === "fallline")!;
    expect(ours.data).toEqual([
      [1024, 0.2],
      [2 ** 20, 1],
      [2 ** 26, 100],
    ]);
    const roof = series.at(-1)!;
    expect(roof.lineStyle).toMatchObject({ type: "dashed" });
    const [from, to] = roof.data;
    expect(to![1] / from![1]).toBeCloseTo(to![0] / from![0], 6);
  });

  it("has a bar for each peer that was measured, of main cases where there are such", () => {
    const other = rowsOf("norm", "norm odd", { plain: 3 });
    const { series, yAxis } = timesChart(result([...other, ...update]));
    expect(yAxis.data).toEqual(["adamw 1x1M"]);
    expect(series.map(({ name, data }) => [name, data])).toEqual([
      ["tfjs", [8]],
      ["naive", [2]],
    ]);
    expect(timesChart(result(other)).yAxis.data).toEqual(["norm odd"]);
    const two = timesChart(result([...update, ...rowsOf("norm", "norm 1x1M", { plain: 0.5 })]));
    expect(two.series.map(({ data }) => data)).toEqual([
      [8, "-"],
      [2, "-"],
      ["-", 0.5],
    ]);
  });

  it("has main cases that are in the registry", () => {
    expect(mainCases.filter((name) => !pageCases.some((each) => titleOf(each) === name))).toEqual([]);
  });

  it("is one small frame where there is nothing for either chart", () => {
    const svg = svgOf(result([]));
    checkXml(svg);
    expect(svg.match(/<svg /g)).toHaveLength(1);
    expect(svg).toContain('height="84"');
    expect(svg).toContain(">No measurements for the charts<");
    expect(svg).toContain(">&lt;A &amp; B&gt; (acme a1), a software adapter; Chrome/1; 2026-11-22<");
  });

  it.each([
    ["no rows", []],
    ["errors alone", [failed, { ...failed, engine: "fallline" }]],
    ["rows without a time", [blank("update", "adamw 1x1M", "fallline"), blank("curve", "adamw 1x1k", "stream")]],
    ["no stream", rowsOf("update", "adamw 1x1M", {})],
  ])("is drawn of %s too", (_, rows) => {
    const svg = svgOf(result(rows));
    checkXml(svg);
    expect(svg).toMatch(/no measurements for (this chart|the charts)</i);
    expect(svg).not.toContain("NaN");
    expect(svg).not.toContain("roof");
  });
});
