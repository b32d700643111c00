// The built page of the benchmark in a real Chrome: a small case gives rows as bench/suite.ts describes them, with answers
// that agree; and what cannot be run is refused in one sentence.
import { describe, expect, it } from "vitest";
import { checkFilter } from "../../bench/cases.ts";
import type { Result, Row } from "../../bench/suite.ts";
import { launchChrome, openPage, serve } from "./chrome.ts";

const address = `${await serve("dist/page")}bench/`;
const browser = await launchChrome();

describe("the benchmark's page", () => {
  it("runs a small network in every engine: each answer agrees with the reference's, and each row is complete", async () => {
    const { page, errors } = await openPage(browser);
    await page.goto(address);
    const result = (await page.evaluate(`runBench({ filter: "64-32-10", quick: true, rounds: 2 })`)) as Result;
    expect(result).toMatchObject({ format: "fallline-bench/1", quick: true });
    expect(Number.isNaN(Date.parse(result.date))).toBe(false);
    expect(typeof result.adapter.software).toBe("boolean");
    const { rows } = result;
    expect(rows.map(({ engine, error }) => [engine, error])).toEqual(
      ["reference", "plain", "fallline", "tfjs", "jaxjs"].map((engine) => [engine, undefined]),
    );
    for (const row of rows) {
      expect(row).toMatchObject({ suite: "gradient", case: "train 64-32-10 b16", n: 2410, tensors: 4 });
      expect(row.ms).toBeGreaterThan(0);
      expect(row.spread).toBeGreaterThanOrEqual(0);
      expect(row.agrees).toBe(true);
    }
    const of = (engine: string) => rows.find((row) => row.engine === engine) as Row;
    const ours = of("fallline");
    expect(ours).toMatchObject({ passes: 1, submits: 1, bindGroups: 0 });
    expect(ours.ratioTo.tfjs).toBeCloseTo(of("tfjs").ms! / ours.ms!, 6);
    expect(ours.ratioTo.jaxjs).toBeGreaterThan(0);
    expect(ours.kernels).toHaveLength(ours.dispatches!);
    expect(ours.kernels!.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(await page.$$("#rows tr")).toHaveLength(1 + rows.length);
    expect(await page.$("#copy:enabled")).not.toBeNull();
    expect(errors).toEqual([]);
    await page.close();
  });

  it("says that there is no WebGPU", async () => {
    const { page } = await openPage(browser);
    await page.evaluateOnNewDocument(`Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined })`);
    await page.goto(address);
    await page.click("#quick");
    await page.waitForFunction(
      `document.getElementById("status").textContent.startsWith("WebGPU is not available here: navigator.gpu is missing")`,
      { polling: 100 },
    );
    await page.close();
  });
});

describe("npm run bench", () => {
  it("refuses a filter that fits no case, and takes what is part of a name", () => {
    expect(() => checkFilter("nosuch")).toThrow(/^filter is "nosuch"; it must be part of one of: gradient: train .*$/);
    expect(() => checkFilter("cpu: train")).not.toThrow();
  });
});
