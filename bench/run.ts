// `npm run bench`: builds the page, runs the suite in a Chrome, then the cases of Node; shows how far it is and a table, and
// writes bench/results/latest.json and latest.md.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Presets, SingleBar } from "cli-progress";
import { Command } from "commander";
import puppeteer from "puppeteer";
import { build, type PreviewServer, preview } from "vite";
import { findChrome } from "../scripts/webgpu.mjs";
import { DeviceError, FalllineError } from "../src/errors.ts";
import { checkFilter, chosen, nodeCases, pageCases } from "./cases.ts";
import type { PageOptions } from "./main.ts";
import { markdownOf, textOf } from "./report.ts";
import { messageOf, type Progress, type Result, runCases } from "./suite.ts";

interface RunOptions {
  readonly quick: boolean;
  readonly filter: string;
  readonly json?: string;
  readonly headful: boolean;
}

const root = resolve(import.meta.dirname, "..");
const results = join(root, "bench", "results");

export async function main(words: readonly string[]): Promise<void> {
  const command = new Command("bench")
    .description("the same work in fallline and in its peers, in one page, side by side")
    .option("--quick", "fewer and shorter rounds, under a minute", false)
    .option("--filter <name>", 'only the cases with this in their name ("train", "cpu:" …)', "")
    .option("--json <file>", "also write the result to this file")
    .option("--headful", "with the browser's window, and whatever GPU it finds there", false)
    .action(run);
  try {
    await command.parseAsync(words);
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    process.exitCode = 1;
  }
}

async function run(options: RunOptions): Promise<void> {
  const { quick, filter, json } = options;
  checkFilter(filter);
  const bar = createBar();
  const onProgress = bar.follow;
  let result: Result = {
    format: "fallline-bench/1",
    adapter: { vendor: "", architecture: "", description: "none: the cases of Node alone", software: false },
    browser: `Node ${process.versions.node}`,
    date: new Date().toISOString(),
    quick,
    rows: [],
  };
  try {
    if (chosen(pageCases, filter).length > 0) result = await runInChrome(options, onProgress);
    const rows = await runCases(chosen(nodeCases, filter), { quick, onProgress });
    result = { ...result, rows: [...result.rows, ...rows] };
  } finally {
    bar.stop();
  }
  process.stdout.write(`${textOf(result)}\n`);
  const text = `${JSON.stringify(result, null, 2)}\n`;
  await mkdir(results, { recursive: true });
  await writeFile(join(results, "latest.json"), text);
  await writeFile(join(results, "latest.md"), markdownOf(result));
  if (json !== undefined) {
    await mkdir(dirname(resolve(json)), { recursive: true });
    await writeFile(json, text);
  }
  if (result.rows.some(({ engine, error }) => (engine === "fallline" || engine === "reference") && error)) {
    process.exitCode = 1;
  }
}

/** One bar on stderr, anew for each case; plain lines where stderr is no terminal. */
function createBar(): { follow(progress: Progress): void; stop(): void } {
  const format = "{case} {bar} {value}/{total}  {doing}";
  const bar = new SingleBar(
    { stream: process.stderr, format, barsize: 20, noTTYOutput: true, notTTYSchedule: 5000, gracefulExit: false },
    Presets.shades_classic,
  );
  let current = "";
  return {
    follow({ case: name, doing, done, total }) {
      if (name !== current) {
        bar.stop();
        bar.start(total, done, { case: name, doing });
        current = name;
      }
      bar.update(done, { doing });
    },
    stop: () => bar.stop(),
  };
}

async function runInChrome(
  { quick, filter, headful }: RunOptions,
  onProgress: (progress: Progress) => void,
): Promise<Result> {
  const executablePath = findChrome();
  if (!executablePath) {
    throw new DeviceError(
      "the benchmark needs Chrome or Chromium, and there is none; npx puppeteer browsers install chrome",
    );
  }
  await build({ root, logLevel: "warn" });
  const server = await preview({
    root,
    configFile: false,
    logLevel: "error",
    build: { outDir: "dist/page" },
    preview: { port: 0, host: "127.0.0.1" },
  });
  const browser = await puppeteer.launch({
    executablePath,
    headless: !headful,
    // A case may take as long as it takes.
    protocolTimeout: 0,
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--enable-unsafe-webgpu"],
  });
  try {
    const page = await browser.newPage();
    await page.exposeFunction("onBenchProgress", onProgress);
    await page.goto(`${addressOf(server)}bench/`);
    const options: PageOptions = { quick, filter };
    const found = await page.evaluate((asked) => window.runBench(asked), options);
    return { ...found, browser: await browser.version() };
  } catch (error) {
    // A page without WebGPU says why; a page or browser that was closed is no error of ours either.
    throw new DeviceError(`the page did not finish: ${messageOf(error)}`, { cause: error });
  } finally {
    await browser.close();
    await server.close();
  }
}

function addressOf(server: PreviewServer): string {
  const address = server.httpServer.address();
  if (typeof address !== "object" || address === null) throw new Error("the preview server has no port");
  return `http://127.0.0.1:${address.port}/`;
}
