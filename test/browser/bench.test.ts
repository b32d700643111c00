// The built page of the benchmark in a real Chrome: a small case gives rows as bench/suite.ts describes them, with answers
// that agree; what cannot be run is refused in one sentence; and a page that goes midway leaves the rows that are finished. And
// the probe's page, which measures too.
import type { Page } from "puppeteer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageCases, titleOf } from "../../bench/cases.ts";
import { runInPage } from "../../bench/run.ts";
import type { Result, Row } from "../../bench/suite.ts";
import { facts } from "../../probe/facts.ts";
import { benchCases, type ProbeResult, recordedIds } from "../../probe/probe.ts";
import { hide, launchChrome, openPage, readBuilt, serve } from "./chrome.ts";

const address = `${await serve("dist/page")}bench/`;
const browser = await launchChrome();

describe("the benchmark's page", () => {
  // One run in one page, looked at from all sides.
  let page: Page;
  let errors: readonly string[];
  const status = () => page.$eval("#status", ({ textContent }) => textContent);
  const prefer = (value: string) => page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
  const stopSoon = async () => {
    const said = await page.evaluate(() => {
      window.onBenchProgress = () => document.getElementById("stop")!.click();
      document.getElementById("quick")!.click();
      return document.getElementById("status")!.textContent;
    });
    await page.waitForSelector("#quick:enabled");
    await page.evaluate("onBenchProgress = undefined");
    return said;
  };
  beforeAll(async () => {
    ({ page, errors } = await openPage(browser));
    // A page of ours may save its result, but not fetch what it saves, as this test does.
    await page.setBypassCSP(true);
    await prefer("dark");
    await page.goto(address);
  });
  afterAll(async () => {
    expect(errors).toEqual([]);
    await page.close();
  });

  it("shows nothing for a run stopped before a case is finished", async () => {
    await stopSoon();
    expect(await status()).toBe("stopped before a case was finished");
    expect(await page.$("#copy:disabled")).not.toBeNull();
  });

  it("waits while its tab is hidden", async () => {
    await hide(page, true);
    await page.click("#quick");
    await page.waitForFunction(`document.getElementById("status").textContent === "paused while this tab is hidden"`, {
      polling: 50,
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await status()).toBe("paused while this tab is hidden");
    await hide(page, false);
    await page.waitForFunction(`document.getElementById("status").textContent.startsWith("case 1 of ")`, {
      polling: 20,
    });
    await page.click("#stop");
    await page.waitForSelector("#quick:enabled");
  });

  it("runs a small network in every engine: each answer agrees with the reference's, and each row is complete", async () => {
    const result = (await page.evaluate(`runBench({ filter: "train 64-32-10", quick: true, rounds: 2 })`)) as Result;
    expect(await status()).toBe("done");
    expect(result).toMatchObject({ format: "fallline-bench/1", quick: true });
    expect(Number.isNaN(Date.parse(result.date))).toBe(false);
    expect(typeof result.adapter.software).toBe("boolean");
    const { rows } = result;
    expect(rows.map(({ engine, error }) => [engine, error])).toEqual(
      ["fallline", "tfjs", "jaxjs", "plain", "reference"].map((engine) => [engine, undefined]),
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
  });

  it("draws charts readable in dark and light, and switches between them", async () => {
    expect(await page.evaluate(titleLightness)).toBeGreaterThan(150);
    for (const [theme, light] of [
      ["light", false],
      ["dark", true],
    ] as const) {
      await prefer(theme);
      await page.waitForFunction(`(${titleLightness}) ${light ? "> 150" : "< 110"}`, { polling: 50, timeout: 10_000 });
    }
    expect(await page.$$("#times canvas")).toHaveLength(1);
  });

  it("keeps the previous result of a run stopped before a case is finished", async () => {
    const link = () => page.$eval("#download a", (a) => fetch((a as HTMLAnchorElement).href).then((got) => got.text()));
    const before = await link();
    expect(await stopSoon()).toBe("starting …");
    expect(await status()).toBe("stopped before a case was finished; the previous result is kept");
    expect(await link()).toBe(before);
    expect(await page.$$("#rows tbody tr")).toHaveLength(5);
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

/** Of 255, what the pixels of a chart's title are on average, in the page. */
const titleLightness = `(() => {
  const canvas = document.querySelector("#times canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 24 * devicePixelRatio);
  let [sum, alphas] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    sum += (data[i + 3] * (data[i] + data[i + 1] + data[i + 2])) / 3;
    alphas += data[i + 3];
  }
  return sum / alphas;
})()`;

describe("the probe's page", () => {
  it("replays, probes and measures, and hands over one JSON", async () => {
    const { page, errors } = await openPage(browser);
    await page.setViewport({ width: 360, height: 640 });
    await page.goto(new URL("../probe/", address).href);
    const only = ["adamw-options", "gradient: train 64-32-10 b16"];
    const result = (await page.evaluate(`runProbe(${JSON.stringify({ only, rounds: 0 })})`)) as ProbeResult;
    expect(result).toMatchObject({ format: "fallline-probe/1", recorded: [{ id: "adamw-options", ok: true }] });
    expect(Object.keys(result.facts)).toEqual(facts.map(({ name }) => name));
    for (const { name, needed } of facts) if (needed !== undefined) expect(result.facts[name], name).toBe(needed);
    expect(Math.max(result.errors.quotient, result.errors.inverse)).toBeLessThanOrEqual(2.5);
    expect(Object.values(result.probes)).not.toContain(false);
    expect(result.bench.map(({ engine, agrees }) => [engine, agrees])).toEqual([["fallline", true]]);
    expect(await page.$$("#found table")).toHaveLength(5);
    expect(await page.$("#copy:enabled")).not.toBeNull();
    const named = await page.$eval("#download a", (link) => (link as HTMLAnchorElement).download);
    expect(named).toMatch(/^fallline-probe-[\d-]+\.json$/);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    expect(errors).toEqual([]);
    await page.close();
  });

  it("has cases that exist, and works offline", () => {
    expect(benchCases).toHaveLength(4);
    expect(new Set(recordedIds).size).toBe(recordedIds.length);
    const { files } = JSON.parse(readBuilt("page/files.json")) as { readonly files: readonly string[] };
    const name = (path: string) => path.replace(/-[\w-]{8}(?=\.json$)/, "");
    expect(files.map(name)).toEqual(
      expect.arrayContaining(["probe/", "probe/index.html", "assets/replay.json", "assets/replay-matrices.json"]),
    );
  });
});

describe("a run in the page", () => {
  /** Two cases that are soon finished, in their order. */
  const titles = ["host", "read"].map((suite) =>
    titleOf(pageCases.find((each) => each.suite === suite && each.tier === "quick")!),
  );

  /** Runs two cases; once the one of that number has begun, does something to the page. */
  async function runUntil(number: number, act: (page: Page) => unknown): Promise<Result> {
    const { page } = await openPage(browser, address);
    let acted = false;
    try {
      return await runInPage(
        page,
        { browser: "chrome", quick: true, rounds: 1, titles },
        ({ casesDone }) => {
          if (acted || casesDone < number - 1) return;
          acted = true;
          act(page);
        },
        new AbortController().signal,
      );
    } finally {
      if (!page.isClosed()) await page.close();
    }
  }

  it.each([
    ["the tab was closed", (page: Page) => page.close()],
    ["the page crashed", crash],
  ])("is incomplete, with the rows of finished cases, when %s", async (why, act) => {
    const result = await runUntil(2, act);
    expect(result).toMatchObject({ format: "fallline-bench/1", incomplete: `${why} after 1 case` });
    expect(result.browser).toMatch(/Chrome/);
    expect(new Set(result.rows.map((row) => `${row.suite}: ${row.case}`))).toEqual(new Set([titles[0]]));
    expect(result.rows.some(({ ms }) => ms !== null)).toBe(true);
  });

  it("is an error when nothing was finished", async () => {
    const run = runUntil(1, (page) => page.close());
    await expect(run).rejects.toThrow(/^the tab was closed before a case was finished; nothing is written$/);
  });

  it("says in one sentence which browser has no WebGPU, and what it needs", async () => {
    const { page } = await openPage(await launchChrome(false));
    await page.goto(address);
    const run = runInPage(page, { browser: "chrome", quick: true }, () => undefined, new AbortController().signal);
    await expect(run).rejects.toThrow(/^\S*Chrome\/\S+ cannot run the benchmark: .*WebGPU.*; it needs .*$/);
    await page.close();
  });
});

async function crash(page: Page): Promise<void> {
  const session = await page.createCDPSession();
  // Nobody answers any more.
  session.send("Page.crash").catch(() => undefined);
}
