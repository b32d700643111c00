// Plots in the terminal: their size, their axes, what is left out and how lines are told apart.
import { expect, it } from "vitest";
import { terminalPlot } from "../../src/app/cli/plot.ts";

const line = (count: number, value: (t: number) => number) =>
  Array.from({ length: count }, (_, t): [number, number] => [t, value(t)]);

it("is as wide as asked, and 80 columns where there is no terminal", () => {
  const series = [{ name: "loss", points: line(5000, (t) => Math.exp(-t / 1000)) }];
  for (const columns of [60, 80, 140]) {
    const widths = terminalPlot(series, { columns, xLabel: "step" })
      .split("\n")
      .map((text) => text.length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    expect(Math.max(...widths)).toBeGreaterThan(columns - 4);
  }
  expect(terminalPlot(series, { columns: process.stdout.columns ?? 80 })).toBe(terminalPlot(series, {}));
});

it("labels its axes with round values and says what they are", () => {
  const text = terminalPlot([{ name: "lr", points: line(101, (t) => t / 100 - 0.5) }], {
    title: "a ramp",
    xLabel: "step",
    yLabel: "rate",
    columns: 80,
  });
  expect(text).toMatch(/^a ramp\nrate\n/);
  expect(text).toMatch(/\n 0\.4┤/);
  expect(text).toMatch(/\n-0\.4┤/);
  expect(text).toMatch(/\n +0 +20 +40 +60 +80 +100\n/);
  expect(text).toMatch(/\n +step$/);
});

it("has powers of ten on logarithmic axes, and leaves out what has no logarithm", () => {
  const points: [number, number][] = [
    [0, 1],
    [1, 0],
    [2, -1],
    ...line(6, (t) => 10 ** -t).map(([t, v]): [number, number] => [10 ** t, v]),
  ];
  const text = terminalPlot([{ name: "loss", points }], { logX: true, logY: true, columns: 80 });
  for (const value of ["1", "0.1", "0.01", "0.001"])
    expect(text).toMatch(new RegExp(`\\n *${value.replace(".", "\\.")}┤`));
  expect(text).toMatch(/\n +1 +10 +100 +1000 +10000 +100000/);
});

it("leaves out what is not finite, down to nothing at all", () => {
  const points: [number, number][] = [
    [0, 1],
    [1, Number.NaN],
    [2, Number.POSITIVE_INFINITY],
    [3, 2],
  ];
  const finite: [number, number][] = [
    [0, 1],
    [3, 2],
  ];
  expect(terminalPlot([{ name: "a", points }], {})).toBe(terminalPlot([{ name: "a", points: finite }], {}));
  const none = "losses\nnothing to plot: no point is finite";
  expect(terminalPlot([{ name: "a", points: [[0, Number.NaN]] }], { title: "losses" })).toBe(none);
  expect(terminalPlot([], { title: "losses" })).toBe(none);
});

it("tells several lines apart by letters, which a legend explains", () => {
  const series = [0.1, 0.01, 0.001].map((lr) => ({ name: `lr ${lr}`, points: line(30, (t) => Math.exp(-lr * t)) }));
  const text = terminalPlot([...series, { name: "diverged", points: [[0, Number.NaN]] }], { columns: 60 });
  expect(text).toMatch(/\na lr 0\.1 {3}b lr 0\.01 {3}c lr 0\.001$/);
  for (const letter of "abc")
    expect(text.match(new RegExp(`┤.*${letter}|│.*${letter}`, "g"))!.length).toBeGreaterThan(0);
  expect(text).not.toContain("diverged");
  const many = Array.from({ length: 60 }, (_, i) => ({ name: `run ${i}`, points: line(3, () => i) }));
  expect(
    Math.max(
      ...terminalPlot(many, { columns: 60 })
        .split("\n")
        .map((row) => row.length),
    ),
  ).toBeLessThanOrEqual(60);
});

it("loses no spike among more points than columns", () => {
  const text = terminalPlot([{ name: "loss", points: line(10_000, (t) => (t === 5003 ? 1 : 0)) }], { columns: 80 });
  expect(text.split("\n").find((row) => row.includes("┤"))).toMatch(/^ +1┤ +\S/);
});

it("draws a single point and a constant", () => {
  expect(terminalPlot([{ name: "lr", points: [[0, 0.1]] }], {})).toContain("0.1┤━");
  expect(terminalPlot([{ name: "lr", points: line(9, () => 0.1) }], {})).toMatch(/0\.1┤━{60}/);
});
