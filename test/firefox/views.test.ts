// The built page in a real headless Firefox, whose WebGPU and WGSL compiler are of another house: every view opens without an error, and
// those that run show the numbers that they should. `npm run test:firefox`; no part of `npm test`, since few machines have a Firefox.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import puppeteer, { type Page } from "puppeteer";
import { afterAll, expect, it } from "vitest";
import { views } from "../../src/app/page/views/index.ts";
import { endFile, openPage, serve } from "../browser/chrome.ts";

const places = [
  ...(process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => [join(folder, "firefox"), join(folder, "firefox-esr")]),
  "/Applications/Firefox.app/Contents/MacOS/firefox",
  "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
];
const executablePath = places.find((path) => existsSync(path));
if (!executablePath) throw new Error("these tests need Firefox, and there is none; Debian has it as firefox-esr");

// Where there is no driver of a GPU, Mesa's emulates one.
const lavapipe = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
const driver = process.env.VK_DRIVER_FILES ?? (existsSync("/dev/dri") ? undefined : lavapipe);

const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  env: { ...process.env, ...(driver ? { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver } : {}) },
  extraPrefsFirefox: { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true },
});
afterAll(async () => {
  await browser.close();
  await endFile();
});
const address = await serve("dist/page");
const { page, errors } = await openPage(browser);
await page.setViewport({ width: 1100, height: 900 });

const text = (id: string) => `document.getElementById("${id}").textContent`;
const says = (of: Page, words: string) => of.waitForFunction(`${words}.test(${text("status")})`, { polling: 100 });

async function open(hash: string, selector: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(`${address}${hash}`);
  await page.waitForSelector(selector);
}

it.each(views.map(({ name }) => name))("opens %s, on WebGPU", async (name) => {
  await open(`#${name}`, `#view-${name} *`);
  await page.waitForFunction(`!${text("adapter")}.startsWith("looking for")`, { polling: 50 });
  expect(await page.evaluate(text("adapter"))).toMatch(/^WebGPU on /);
  expect(await page.$eval("#view .formula math", (math) => math.childElementCount)).toBeGreaterThan(0);
  expect(errors).toEqual([]);
});

it("races: 4 goes to 3.2 at a rate of 0.1, and over −8 to 16 at 1.5", async () => {
  await open("#race", ".run-3 .places");
  const cards = await page.$$eval(".run", (all) => all.map((card) => card.textContent ?? ""));
  expect(cards[1]).toMatch(/w: 4 → −8 → 16 → −32/);
  expect(cards[3]).toMatch(/w: 4 → 3\.2 → 2\.56/);
  expect(errors).toEqual([]);
});

it("lets a cloud flow into the four hollows", async () => {
  await open("#landscape?steps=60&cloud=4000&times=0.5", ".way");
  await says(page, "/60 steps done$/");
  const ends = await page.$$eval("#ends li", (all) => all.map((each) => each.textContent ?? ""));
  for (const place of ["(3, 2)", "(3.58, −1.85)", "(−2.81, 3.13)", "(−3.78, −3.28)"])
    expect(ends.some((line) => line.includes(place))).toBe(true);
  expect(errors).toEqual([]);
});

it("finds the doublings of the cascade", async () => {
  await open("#cascade?settle=500&samples=40", ".picture");
  await page.waitForFunction(`${text("doublings")} !== ""`, { polling: 100 });
  const found = (await page.evaluate(text("doublings"))) as string;
  const [two, four] = [...found.matchAll(/a cycle of \d+ from r = ([\d.]+) on/g)].map(([, r]) => Number(r));
  expect(Math.abs(two! - 3)).toBeLessThan(0.01);
  expect(Math.abs(four! - 3.44949)).toBeLessThan(0.01);
  expect(errors).toEqual([]);
});

it("moves a schedule's point by keys", async () => {
  await open("#schedules", '[aria-label^="block 1: end"]');
  await page.focus('[aria-label^="block 1: end"]');
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(
    `JSON.parse(document.querySelector('[aria-label="the schedule as JSON"]').value).milestones[0] === 110`,
  );
  expect(errors).toEqual([]);
});

it("learns the digits, and holds the lab's claims", async () => {
  await open("#train?data=digits&steps=60&batch=64&lr=0.01&every=0", "#train:enabled");
  await page.click("#train");
  await says(page, "/^done/");
  expect(Number.parseFloat((await page.evaluate(text("test-accuracy"))) as string)).toBeGreaterThan(60);
  await open("#stability?experiment=temperature&options=walkers:2048", "#run:enabled");
  await page.click("#run");
  await says(page, "/claims (hold|fail)/");
  expect(await page.evaluate(text("status"))).toMatch(/^all \d claims hold/);
  expect(errors).toEqual([]);
});
