// A real headless Chrome with WebGPU, which all test files share, and servers for what was built, which go away with their file.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer";
import { createServer, type PreviewServer, preview } from "vite";
import { expect, inject } from "vitest";
import { findChrome } from "../../scripts/webgpu.mjs";

export const root = resolve(import.meta.dirname, "../..");

const executablePath = findChrome();
if (!executablePath) throw new Error("the browser tests need Chrome or Chromium, and there is none; run: npm test");

const closing: (() => Promise<unknown>)[] = [];

/** Ends what a file has asked for. */
export async function endFile(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

/** @param more Further arguments of its command line. */
export function startChrome(webgpu = true, more: readonly string[] = []): Promise<Browser> {
  return puppeteer.launch({
    executablePath: executablePath!,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      ...(webgpu ? ["--enable-unsafe-webgpu"] : []),
      ...more,
    ],
  });
}

let shared: Promise<Browser> | undefined;

/** The Chrome that all files share, which test/browser/each_run.ts has started; or one of the file's own, if it is to be started otherwise. */
export async function launchChrome(webgpu = true, more: readonly string[] = []): Promise<Browser> {
  if (webgpu && more.length === 0) {
    shared ??= puppeteer.connect({ browserWSEndpoint: inject("chrome"), defaultViewport: { width: 800, height: 600 } });
    return shared;
  }
  const browser = await startChrome(webgpu, more);
  closing.push(() => browser.close());
  return browser;
}

/** Serves the sources as `npm run dev` does and returns the address. */
export async function serveSources(): Promise<string> {
  const server = await createServer({ root, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
  await server.listen();
  closing.push(() => server.close());
  return server.resolvedUrls!.local[0]!;
}

/** Serves a folder of dist/ and returns its address. */
export async function serve(outDir: string): Promise<string> {
  return (await serveForAWhile(outDir)).address;
}

/** The same, with a function that ends it before the tests do. */
export async function serveForAWhile(outDir: string): Promise<{ address: string; close(): Promise<void> }> {
  const server: PreviewServer = await preview({
    root,
    configFile: false,
    logLevel: "error",
    build: { outDir },
    preview: { port: 0, host: "127.0.0.1" },
  });
  closing.push(() => server.close());
  const address = server.httpServer.address();
  if (typeof address !== "object" || address === null) throw new Error("the preview server has no port");
  return {
    address: `http://127.0.0.1:${address.port}/`,
    close() {
      // A browser holds its connections.
      if ("closeAllConnections" in server.httpServer) server.httpServer.closeAllConnections();
      return server.close();
    },
  };
}

/** A page, at an address if one is given, whose console errors, uncaught errors and violations of its Content-Security-Policy are collected. */
export async function openPage(browser: Browser, address?: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage();
  // As long as a test may take: a busy machine loads MNIST slowly.
  page.setDefaultTimeout(120_000);
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  // Not every violation is logged: what a library tries and catches is not.
  await page.evaluateOnNewDocument(`
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
      console.error("violates the policy: " + [violatedDirective, blockedURI, sourceFile, lineNumber].join(" "));
    });
  `);
  if (address !== undefined) await page.goto(address);
  return { page, errors };
}

export function readBuilt(path: string): string {
  return readFileSync(resolve(root, "dist", path), "utf8");
}

/** Sets controls of the page, by their names, as a visitor does. */
export const fill = (page: Page, values: Readonly<Record<string, string>>) =>
  page.evaluate((given) => {
    for (const [name, value] of Object.entries(given)) {
      const control = document.querySelector(`.controls [name="${name}"]`) as HTMLInputElement;
      control.value = value;
      control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
    }
  }, values);

/** Hides a page's tab from its scripts, or shows it. */
export const hide = (page: Page, hidden: boolean) =>
  page.evaluate((is) => {
    if (is) Object.defineProperty(document, "hidden", { value: true, configurable: true });
    else Reflect.deleteProperty(document, "hidden");
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

/**
 * Hides the page, and expects that a number of it comes to rest and stays; then shows the page again.
 *
 * @returns the number at rest
 */
export async function expectRest(page: Page, read: () => Promise<unknown>): Promise<unknown> {
  await hide(page, true);
  // Work that was under way is finished first, however slow the machine is.
  let held = await read();
  const isAtRest = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const before = held;
    held = await read();
    return held === before;
  };
  await expect.poll(isAtRest, { timeout: 30_000, interval: 0 }).toBe(true);
  expect(await isAtRest()).toBe(true);
  await hide(page, false);
  return held;
}

/** For a page's beginning: its devices, in their order, as `devices`. */
export const keepDevices = `
  window.devices = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    window.devices.push(device);
    return device;
  };
`;

/** Those whose losses are on their way when a key comes, and the one that follows its paint. */
const mostStepsBeforePaint = 8;

/**
 * Presses keys in the page's first slider while it trains: each is painted before more than a few further steps are shown, whatever
 * the machine's speed, and the run goes on meanwhile. Prints the time to the paint, which what else runs on the machine delays as well.
 */
export async function pressKeys(page: Page): Promise<void> {
  await page.evaluate(`
    window.keys = [];
    const step = () => Number.parseInt(document.getElementById("step").textContent);
    const slider = document.querySelector(".slider input[type=range]");
    slider.addEventListener("keydown", ({ timeStamp }) => {
      const before = step();
      // A frame's callbacks run before its paint, and a task behind them after it.
      requestAnimationFrame(() => setTimeout(() => {
        window.keys.push({ steps: step() - before, ms: performance.now() - timeStamp });
      }));
    });
    slider.focus();
    window.stepAtFirst = step();
    0`);
  const count = 20;
  for (let i = 1; i <= count; i++) {
    await page.keyboard.press(i % 2 === 1 ? "ArrowRight" : "ArrowLeft");
    await page.waitForFunction(`window.keys.length === ${i}`, { polling: 20 });
  }
  const keys = (await page.evaluate("window.keys")) as readonly { readonly steps: number; readonly ms: number }[];
  const times = keys.map(({ ms }) => ms).sort((a, b) => a - b);
  const steps = keys.map((key) => key.steps);
  console.log(
    `from a key to behind the next paint while it trains: ${times[Math.ceil(0.95 * count) - 1]!.toFixed(0)} ms at the 95th percentile; steps made meanwhile: ${steps.join(", ")}`,
  );
  await page.waitForFunction(`Number.parseInt(document.getElementById("step").textContent) > window.stepAtFirst`, {
    polling: 50,
  });
  expect(Math.max(...steps)).toBeLessThanOrEqual(mostStepsBeforePaint);
}
