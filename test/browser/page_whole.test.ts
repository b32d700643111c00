// The page as a whole, over its registry of views: each opens, can be read and used by everybody, survives what its address or its
// visitor does to it, and works offline once it has loaded; and what is loaded first is small.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { Page } from "puppeteer";
import { afterAll, expect, it } from "vitest";
import { views } from "../../src/app/page/views/index.ts";
import { launchChrome, openPage, readBuilt, serve, serveForAWhile } from "./chrome.ts";

const address = await serve("dist/page");
const browser = await launchChrome();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { page, errors } = await openPage(browser);
afterAll(() => page.close());

const names = views.map(({ name }) => name);

async function open(name: string, words = ""): Promise<void> {
  await page.goto("about:blank");
  await page.goto(`${address}#${name}${words}`);
  await page.waitForSelector(`#view-${name} *`);
}

const theme = (value: "light" | "dark") => page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);

/** What axe-core finds serious or critical: the rule, and where. */
async function faults(of: Page): Promise<readonly string[]> {
  await of.evaluate(axe);
  return (await of.evaluate(`
    axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
      violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => id + ": " + nodes.map(({ target }) => target.join(" ")).join(", ")))`)) as readonly string[];
}

it.each(names)(
  "opens %s without an error, accessibly, in light, in dark and on a phone; an address with unknown options is answered",
  async (name) => {
    await page.setViewport({ width: 1280, height: 900 });
    await theme("light");
    await open(name);
    expect(await faults(page)).toEqual([]);
    await theme("dark");
    expect(await faults(page)).toEqual([]);
    expect(await page.$eval("#view .formula math", (math) => math.childElementCount)).toBeGreaterThan(0);
    for (const words of [".words h1 + p", ".words .question"])
      expect(await page.$eval(words, ({ textContent }) => textContent?.length)).toBeGreaterThan(40);
    await page.setViewport({ width: 320, height: 640 });
    await page.evaluate(
      `location.hash = "#${name}?nosuch=%3Cimg%20src=x%20onerror=alert(1)%3E&lr=NaN&steps=1e999&seed=-1"; 0`,
    );
    await page.waitForSelector("#trouble:not([hidden])");
    expect(await page.$eval("#trouble", ({ textContent }) => textContent)).toContain('"nosuch"');
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
    expect(errors).toEqual([]);
  },
);

it("changes its size, its theme and its views without an error, and nothing moves by itself", {
  timeout: 240_000,
}, async () => {
  await page.setViewport({ width: 1280, height: 900 });
  await open("race");
  for (const name of [...names, "race"]) {
    await page.click(`#views a[href="#${name}"]`);
    await page.waitForSelector(`#view-${name}`);
    await page.setViewport({ width: 700, height: 900 });
    await page.click("#theme");
    await page.click("#large");
    await page.setViewport({ width: 1280, height: 900 });
  }
  expect(errors).toEqual([]);
  // At rest from the beginning, as the visitor's choices are kept: reset, and counted over a plain visit.
  await page.evaluate("localStorage.clear()");
  await open("race");
  await page.waitForSelector(".run-3 .places");
  const shift = await page.evaluate(`new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => resolve(sum), 300);
  })`);
  expect(shift).toBeLessThan(0.05);
});

it("goes to its first view where the address names none", async () => {
  await page.goto("about:blank");
  await page.goto(`${address}#nosuch`);
  await page.waitForSelector("#view-race *");
  expect(await page.$eval("#trouble", ({ textContent }) => textContent)).toContain('"nosuch", which is not a view');
});

it("loads at most 150 kB of script for its first view", async () => {
  const loaded = new Set<string>();
  const [fresh] = await Promise.all([openPage(browser)]);
  fresh.page.on("response", (response) => {
    if (response.url().endsWith(".js") && !response.url().endsWith("offline.js"))
      loaded.add(new URL(response.url()).pathname);
  });
  await fresh.page.goto(address);
  await fresh.page.waitForSelector(".run-3 .places");
  const bytes = [...loaded].reduce((sum, path) => sum + gzipSync(readBuilt(`page${path}`)).length, 0);
  expect(bytes).toBeLessThanOrEqual(150_000);
  await fresh.page.close();
});

it("works offline once it has loaded", async () => {
  const fresh = await openPage(await launchChrome());
  const host = await serveForAWhile("dist/page");
  await fresh.page.goto(host.address);
  await fresh.page.evaluate("navigator.serviceWorker.ready.then(() => 0)");
  await host.close();
  await fresh.page.reload();
  await fresh.page.waitForSelector(".run-3 .places");
  await fresh.page.goto(`${host.address}#stability`);
  await fresh.page.waitForSelector("#view-stability #run:enabled");
  expect(fresh.errors).toEqual([]);
  await fresh.page.close();
});
