// Charts: what must be in the picture whatever the runs did, and how numbers stand beside it.
import { expect, it } from "vitest";
import { chartSvg } from "../../src/app/cli/chart.ts";
import { short } from "../../src/base/short.ts";
import { curvatureChart, lossChart, rangeChart, runsChart, scheduleChart, sweepChart } from "../../src/lab/chart.ts";
import { divergedPhrase, endPhrase } from "../../src/lab/phrases.ts";
import { suggestRates } from "../../src/lab/suggest.ts";
import { createWatch } from "../../src/train/watch.ts";

const falling = Array.from({ length: 50 }, (_, i) => 2 * 0.93 ** i);
const rising = Array.from({ length: 30 }, (_, i) => 2 * 1.5 ** i);
const runs = (losses: readonly number[], count = 3) =>
  Array.from({ length: count }, (_, i) => ({ name: `lr ${i}e-3`, losses, stopped: i === 2 ? "behind" : null }));

it.each([
  [0, "0"],
  [10, "10"],
  [0.000626, "6.26e-4"],
  [0.0123, "0.0123"],
  [1e-7, "1e-7"],
  [1e-5, "1e-5"],
  [7.3249, "7.32"],
  [1e6, "1e6"],
  [-1.05e27, "-1.05e27"],
  [Number.NaN, "NaN"],
])("%d is written %s", (value, text) => {
  expect(short(value)).toBe(text);
});

it("names every run of a sweep, the best in words too, on as much paper as that takes", () => {
  const svg = chartSvg(sweepChart({ title: "a sweep", runs: runs(falling, 32), best: 5 }));
  for (let i = 0; i < 32; i++) expect(svg).toContain(`>lr ${i}e-3<`);
  expect(svg).toContain(">best: lr 5e-3 (black); thin lines: stopped runs<");
  expect(Number(/height="(\d+)"/.exec(svg)?.[1])).toBeGreaterThan(600);
  const many = chartSvg(sweepChart({ title: "a sweep", runs: runs(falling, 100), best: 90 }));
  expect(many).toContain("only the 40 longest runs are named");
  expect(many).toContain(">lr 90e-3<");
});

it("keeps two runs of one name apart", () => {
  const { series } = sweepChart({ title: "", runs: [...runs(falling, 1), ...runs(falling, 1)], best: null });
  expect(series.map(({ name }) => name)).toEqual(["lr 0e-3", "lr 0e-3 (2)"]);
});

it("lets runs that diverge leave the picture, unless all do", () => {
  const mixed = sweepChart({ title: "", runs: [...runs(falling), ...runs([...rising, Number.NaN])], best: 0 });
  expect(mixed.yAxis).toMatchObject({ type: "log", max: expect.closeTo(6, 0) });
  expect(mixed.xAxis.max).toBe(50);
  const { yAxis, xAxis, series } = sweepChart({ title: "", runs: runs([...rising, Number.NaN]), best: null });
  expect(yAxis).toMatchObject({ type: "log" });
  expect((yAxis as { max: number }).max).toBeGreaterThan(1e4);
  expect(xAxis.max).toBe(31);
  expect(series[0]!.data).toHaveLength(30);
});

it("fits a logarithmic axis to the losses, with labels between the powers of ten", () => {
  const { yAxis } = lossChart({ title: "", losses: [2.1, Number.NaN, 0.4, 0.15] });
  const { min, max, axisTick } = yAxis as { min: number; max: number; axisTick: { customValues: number[] } };
  expect(min).toBeCloseTo(0.15, 1);
  expect(max).toBeCloseTo(2.1, 0);
  expect(axisTick.customValues).toEqual([0.2, 0.5, 1, 2]);
  expect(lossChart({ title: "", losses: [2.1, 0] }).yAxis.type).toBe("value");
  for (const losses of [[], [Number.NaN], [1], [1e-45, 3e38]]) {
    expect(chartSvg(lossChart({ title: "whatever", losses }))).toContain(">whatever<");
  }
});

it("marks in words where a run diverged, and draws no number that is not finite", () => {
  const losses = [2.3, 2.1, 9, Number.POSITIVE_INFINITY, Number.NaN];
  const chart = lossChart({ title: "", losses, divergedAt: 4 });
  expect(chart.series.map(({ name }) => name)).toEqual(["loss", "smoothed", "diverged at step 4"]);
  expect(chart.series[2]!.data).toEqual([
    [4, 2.1],
    [4, 9],
  ]);
  expect(chart.series.flatMap(({ data }) => data.flat()).every(Number.isFinite)).toBe(true);
  for (const curve of [losses, [Number.NaN]]) {
    const svg = chartSvg(lossChart({ title: "", losses: curve, divergedAt: 1 }));
    expect(svg).toContain(">diverged at step 1<");
    expect(svg).not.toMatch(/NaN|Infinity/);
  }
});

it("marks where a range test left all bounds", () => {
  const points = [1e-3, 1e-2, 1e-1].map((lr, i) => ({ lr, loss: 2 + i, smooth: 2 + i }));
  for (const [ended, name] of [
    ["diverged", "diverged at 0.5"],
    ["nonFinite", "not finite at 0.5"],
  ] as const) {
    const chart = rangeChart({ title: "", points, ended, endedAt: 0.5 });
    expect(chart.series.map((series) => series.name)).toEqual(["loss", "smoothed", name]);
    expect(chart.xAxis).toMatchObject({ max: 0.5 });
    expect(chartSvg(rangeChart({ title: "", points: [], ended, endedAt: 0.5 }))).toContain(`>${name}<`);
  }
  expect(rangeChart({ title: "", points, ended: "complete", endedAt: 0.1 }).series).toHaveLength(2);
});

it("says of a run that diverged at which step, what was seen and what to do", () => {
  const watch = createWatch();
  const words = [2.3, 1.9, 1.8, Number.NaN].flatMap((loss) => watch.observe({ loss }).map(divergedPhrase));
  const remedy = "lower the learning rate to a third or less, or find one with a range test";
  expect(words).toEqual([`diverged at step 4: the loss is no longer finite, after 1.8; ${remedy}`]);
  const climbs = createWatch();
  const climbing = [...falling.slice(0, 20), ...rising].flatMap((loss) => climbs.observe({ loss }));
  expect(climbing.map(divergedPhrase).join()).toMatch(
    /^diverged at step \d+: the smoothed loss has risen to \S+, from \S+ at step \d+; lower the learning rate/,
  );
  const [first] = createWatch().observe({ loss: Number.POSITIVE_INFINITY });
  expect(divergedPhrase(first!)).toMatch(/^diverged at step 1: the loss is not finite before any update; look for/);
});

it("shows a single step as a point", () => {
  expect(scheduleChart({ title: "", values: [0.1] }).series[0]!.showSymbol).toBe(true);
  expect(scheduleChart({ title: "", values: [0.1, 0.1] }).series[0]!.showSymbol).toBe(false);
});

it("draws numbers of any size, near each other too, under their own labels", () => {
  for (const size of [1e-320, 1e-100, 1e-24, 1e-10, 1e-7, 1e-6, 1e-5, 1e-3, 1, 1e30, 1e300]) {
    for (const losses of [[size], [size, size], [0, size], [size, size * (1 + 1e-15)], [size, size * (1 + 1e-7)]]) {
      const curvature = losses.map((sharpness, i) => ({ step: i + 1, sharpness, edge: -size }));
      for (const chart of [
        lossChart({ title: "t", losses }),
        scheduleChart({ title: "t", values: losses }),
        curvatureChart({ title: "t", losses: [1], curvature }),
      ]) {
        expect(chartSvg(chart)).not.toMatch(/NaN|Infinity|undefined/);
      }
    }
  }
  const svg = chartSvg(scheduleChart({ title: "t", values: [0, 4e-24] }));
  expect([...svg.matchAll(/>([\de.-]+)<\/text>/g)].map(([, label]) => label)).toEqual(
    expect.arrayContaining(["1e-24", "2e-24", "4e-24"]),
  );
});

it("has the last parts of long names", () => {
  const name = "A: /home/someone/with/long/names/for/folders/first/out/run.json";
  expect(chartSvg(runsChart({ title: "", runs: [{ name, losses: falling }] }))).toMatch(
    />A: …\/\S*first\/out\/run.json</,
  );
});

it("marks the suggestions of a range test apart, and the one to take", () => {
  const points = Array.from({ length: 60 }, (_, i) => {
    const loss = i < 50 ? 2.3 / (1 + Math.exp((i - 30) / 4)) + 0.1 : 0.1 * 1.5 ** (i - 49);
    return { lr: 10 ** (-7 + (8 * i) / 59), loss, smooth: loss };
  });
  const found = suggestRates(points, 60, "complete");
  const chart = rangeChart({ title: "", points, ...found });
  const marks = chart.series.slice(2);
  expect(new Set(marks.map(({ color }) => color)).size).toBe(marks.length);
  expect(marks.length).toBeGreaterThan(2);
  const outlined = marks.filter((mark) => "itemStyle" in mark);
  expect(outlined.map(({ name }) => name)).toEqual([`${found.suggested.name} ${short(found.suggested.lr!)}`]);
  const svg = chartSvg(chart);
  expect(svg).toContain(`>suggested: ${found.suggested.name} (outlined)<`);
  for (const rate of ["1e-7", "1e-5", "0.1", "1", "10"]) expect(svg).toContain(`>${rate}<`);
});

it("says how a range test ended", () => {
  const ramp = { start: 1e-7, end: 10, steps: 100, mode: "exponential", smoothing: 0.98, diverge: 4 } as const;
  const points = [{ lr: 1e-7, loss: 1, smooth: 1 }];
  const words = (ended: "complete" | "aborted" | "diverged" | "nonFinite", endedAt: number | null) =>
    endPhrase({ ramp, points, ended, endedAt });
  expect(words("complete", 10)).toBe("made all 100 steps up to a rate of 10");
  expect(words("aborted", 1e-7)).toBe("stopped after 1 of 100 steps, at a rate of 1e-7");
  expect(words("diverged", 0.5)).toBe("ended after 1 of 100 steps: the smoothed loss diverged at a rate of 0.5");
  expect(words("nonFinite", 0.5)).toBe("ended after 1 of 100 steps: the loss was not finite at a rate of 0.5");
  expect(words("aborted", null)).toBe("stopped before the first step");
});

it("is the same file whatever the process drew before", () => {
  const draw = () => chartSvg(lossChart({ title: "a run", losses: falling }));
  const first = draw();
  chartSvg(sweepChart({ title: "a sweep", runs: runs(falling, 5), best: 1 }));
  expect(draw()).toBe(first);
  // What refers to an id still finds it.
  const ids = new Set([...first.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const used = [...first.matchAll(/url\(#([^)]+)\)/g)].map(([, id]) => id);
  expect(used.length).toBeGreaterThan(0);
  expect(used.filter((id) => !ids.has(id))).toEqual([]);
});
