// `npm run bench`: builds the page, runs the suite in a browser, then the cases of Node and the sizes of files; shows its
// progress and a table, and writes bench/results/latest.json, latest.md and latest.svg, for a full run full.json and so on too.
// An interrupted run keeps its rows.
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { Presets, SingleBar } from "cli-progress";
import { Command } from "commander";
import type { Page } from "puppeteer";
import { number } from "../src/app/cli/number.ts";
import { DeviceError, FalllineError, OptionError, show } from "../src/base/errors.ts";
import { readChoice, readNumber } from "../src/base/options.ts";
import { type BrowserName, browserNames, findBrowser, launch, withoutAdapter } from "./browser.ts";
import { type Chosen, checkFilter, chosen } from "./cases.ts";
import { svgOf } from "./charts.ts";
import { openNodePage } from "./dawn.ts";
import type { PageOptions } from "./main.ts";
import { markdownOf, textOf } from "./report.ts";
import { runCases } from "./run_cases.ts";
import { buildPage, root, servePage } from "./serve.ts";
import { weigh } from "./sizes.ts";
import { messageOf, type Progress, type Result, type Row, titleOfRow } from "./suite.ts";
import { readTorch, type TorchRows, withTorch } from "./torch_rows.ts";

/** The options of a run. */
export interface RunOptions extends PageOptions {
  /** The browser; default "chrome". */
  readonly browser?: BrowserName;
  /** Whether the page's cases run in Node, on Dawn, instead of in a browser; default false. */
  readonly node?: boolean;
  /** Whether its window is visible; default false. */
  readonly headful?: boolean;
}

/** The options of the command line, checked. */
interface Options extends RunOptions {
  /** Another file for the result. */
  readonly json: string | undefined;
  /** The output of bench/torch_peer.py. */
  torch: TorchRows | undefined;
  /** Whether docs/ should show it. */
  readonly docs: boolean;
}

const results = join(root, "bench", "results");
const docs = join(root, "docs");

/** Parses the command line and runs; sets the process's exit code. */
export async function main(words: readonly string[]): Promise<void> {
  const command = new Command("bench")
    .description("runs the same work in fallline and its peers, in one page")
    .option("--quick", "the smallest cases, in fewer and shorter rounds: under a minute", false)
    .option("--every", "also the largest cases and every rule; may take hours", false)
    .option("--filter <name>", 'only cases whose suite and name contain this ("train", "cpu:" …)', "")
    .option("--rounds <n>", "at most n rounds of each case, instead of all that fit its time")
    .option("--json <file>", "also write the result to this file")
    .option("--torch <file>", "also show the rows printed by bench/torch_peer.py")
    .option("--docs", "also write docs/benchmark_results.md and docs/benchmark.svg; full runs only", false)
    .option("--browser <name>", `the browser: ${browserNames.join(" or ")}; default chrome`)
    .option("--node", "in Node, on Dawn (npm webgpu), where there is no browser", false)
    .option("--headful", "show the browser's window, and use any GPU it finds", false);
  const options = readOptions(command.parse(words).opts());
  process.exitCode = (await bench(options)) ? 0 : 1;
}

/** @throws OptionError, before anything is built or started. */
export function readOptions({ rounds, ...given }: Record<string, unknown>): Options {
  const options: Options = {
    quick: given.quick === true,
    every: given.every === true,
    headful: given.headful === true,
    filter: String(given.filter ?? ""),
    json: given.json === undefined ? undefined : resolve(String(given.json)),
    torch: given.torch === undefined ? undefined : readTorch(resolve(String(given.torch))),
    docs: given.docs === true,
    browser: readChoice("--browser", given.browser ?? "chrome", browserNames),
    node: given.node === true,
    ...(rounds !== undefined && { rounds: readNumber("--rounds", number(String(rounds)), { min: 1, integer: true }) }),
  };
  checkFilter(options.filter ?? "");
  if (options.json !== undefined) checkFile("--json", options.json);
  if (options.docs && narrowed(options).length > 0) {
    throw new OptionError("--docs is given; it needs a full run, without --quick, --filter and --rounds");
  }
  for (const [option, value] of [
    ["--browser", given.browser],
    ["--headful", options.headful],
  ] as const) {
    if (options.node && value)
      throw new OptionError(`${option} is given; it must be left out with --node, which starts no browser`);
  }
  if (options.headful && process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
    throw new OptionError("--headful is given; it needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set");
  }
  return options;
}

/** The options by which a run is less than a full one. */
function narrowed({ quick, filter, rounds }: RunOptions): string[] {
  return [
    ...(quick ? ["--quick"] : []),
    ...(filter ? [`--filter ${show(filter)}`] : []),
    ...(rounds !== undefined ? [`--rounds ${rounds}`] : []),
  ];
}

/** Checks that a file is writable before hours of work, not after. */
function checkFile(option: string, path: string): void {
  const refuse = (allowed: string) => new OptionError(`${option} is ${show(path)}; ${allowed}`);
  if (existsSync(path) && statSync(path).isDirectory()) throw refuse("it must be a file, not a folder");
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch {
    throw refuse("it must be a file in a folder that exists and may be written to");
  }
}

/** Runs, prints and writes; returns whether the run is complete and our engines are correct. */
async function bench(options: Options): Promise<boolean> {
  const found = await measure(options);
  const result = options.torch ? withTorch(found, options.torch) : found;
  process.stdout.write(`${textOf(result)}\n`);
  const texts = {
    json: `${JSON.stringify(result, null, 2)}\n`,
    md: markdownOf(result),
    svg: svgOf(result),
  };
  const files = filesOf(options, result);
  await mkdir(results, { recursive: true });
  for (const [path, kind] of files) await writeWhole(path, texts[kind]);
  if (result.incomplete !== undefined) process.stderr.write(`bench: the run is incomplete: ${result.incomplete}\n`);
  process.stderr.write(`bench: ${writtenLine(options, result, existsSync(join(results, "full.json")))}\n`);
  return result.incomplete === undefined && result.rows.every(isSound);
}

type Asked = Pick<Options, "quick" | "filter" | "rounds" | "json" | "docs">;
type File = readonly [path: string, kind: "json" | "md" | "svg"];

/** The files of the result. A part of a run, or an interrupted one, leaves the last full run's files alone. */
function filesOf(options: Asked, { incomplete }: Pick<Result, "incomplete">): File[] {
  const full = incomplete === undefined && narrowed(options).length === 0;
  const kinds = ["json", "md", "svg"] as const;
  return [
    ...(full ? ["latest", "full"] : ["latest"]).flatMap((name) =>
      kinds.map((kind): File => [join(results, `${name}.${kind}`), kind]),
    ),
    ...(options.json === undefined ? [] : [[options.json, "json"] as const]),
    ...(options.docs && full
      ? [[join(docs, "benchmark_results.md"), "md"] as const, [join(docs, "benchmark.svg"), "svg"] as const]
      : []),
  ];
}

/** The files written. */
export function writtenLine(options: Asked, result: Pick<Result, "incomplete">, hasFull: boolean): string {
  const cut = result.incomplete !== undefined;
  const less = narrowed(options);
  const what = [`${cut ? "an incomplete" : less.length > 0 ? "a" : "a full"} run`, less.join(" ")].filter(Boolean);
  const paths = filesOf(options, result).map(([path]) => relative(process.cwd(), path));
  const full = join(relative(process.cwd(), results), "full.*");
  const stays = hasFull && (cut || less.length > 0) ? `; ${full} are still the last full run's` : "";
  return `${what.join(" with ")} is written to ${paths.join(", ")}${stays}`;
}

/** A peer may fail, and its row says so; our engine and the reference of all answers may not. */
export function isSound({ engine, error, agrees }: Row): boolean {
  return (engine !== "fallline" && engine !== "reference") || (error === undefined && agrees !== false);
}

/** Writes such that nobody ever reads half a file. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}

/** Called as a run goes on, with the progress, and the cases of the run finished before those it counts. */
type Follow = (progress: Omit<Progress, "rows">, casesBefore: number) => void;

/**
 * Runs the chosen cases: those of the page, those of Node, then the files. Shows its progress on stderr. An interrupted run, also
 * by Ctrl-C, returns the rows of its finished cases, with `incomplete`.
 *
 * @throws DeviceError if there is no browser (before anything is built) or no WebGPU, or if no case was finished.
 */
export async function measure(options: RunOptions): Promise<Result> {
  const { browser = "chrome", node = false } = options;
  const cases = chosen(options);
  const executable = cases.page.length > 0 && !node ? findBrowser(browser) : undefined;
  const bar = createBar(cases.page.length + cases.node.length + cases.size.length);
  const stopping = interruptible();
  const { signal } = stopping;
  try {
    const found =
      cases.page.length === 0
        ? withoutPage(options)
        : executable === undefined
          ? await onDawn(options, bar.follow, signal)
          : await inBrowser(executable, { ...options, browser }, bar.follow, signal);
    return found.incomplete === undefined ? await withRest(found, cases, options, bar.follow, signal) : found;
  } finally {
    stopping.end();
    bar.stop();
  }
}

/** Adds the cases that need no page. */
async function withRest(
  found: Result,
  { page, node, size }: Chosen,
  { quick = false, rounds }: RunOptions,
  follow: Follow,
  signal: AbortSignal,
): Promise<Result> {
  let finished: readonly Row[] = [];
  const sofar = () => ({ ...found, rows: [...found.rows, ...finished] });
  try {
    finished = await runCases(node, {
      ...{ quick, signal, ...(rounds !== undefined && { rounds }) },
      onProgress(progress) {
        finished = progress.rows;
        follow(progress, page.length);
      },
    });
    for (const [i, each] of size.entries()) {
      signal.throwIfAborted();
      const doing = { case: each.name, doing: "bundling and zipping", done: 0, total: 1 };
      follow({ ...doing, casesDone: i, cases: size.length }, page.length + node.length);
      finished = [...finished, ...(await weigh(each))];
    }
    return sofar();
  } catch (error) {
    return cutShort(sofar(), signal.aborted ? messageOf(error) : `the run failed (${messageOf(error)})`);
  }
}

/** The result of a run without a page. */
function withoutPage({ quick = false }: RunOptions): Result {
  return {
    format: "fallline-bench/1",
    adapter: { vendor: "", architecture: "", description: "none: only the cases of Node", software: false },
    browser: `Node ${process.versions.node}`,
    date: new Date().toISOString(),
    quick,
    timestamps: null,
    rows: [],
  };
}

/** @throws DeviceError if no case was finished, since such a result would only replace a better one. */
function cutShort(result: Result, why: string): Result {
  const finished = new Set(result.rows.map(titleOfRow)).size;
  if (finished === 0) throw new DeviceError(`${why} before a case was finished; nothing is written`);
  return { ...result, incomplete: `${why} after ${finished} ${finished === 1 ? "case" : "cases"}` };
}

/** The page's cases in Node. */
async function onDawn(options: PageOptions, follow: Follow, signal: AbortSignal): Promise<Result> {
  const { page, close } = await openNodePage();
  try {
    const head = await page.describeBench(options).catch((error) => {
      // Classes of the modules that Vite has loaded differ from ours.
      throw new DeviceError(messageOf(error), { cause: error });
    });
    let rows: readonly Row[] = [];
    try {
      rows = await page.runBench(options, {
        signal,
        onProgress(progress) {
          rows = [...progress.rows];
          follow(progress, 0);
        },
      });
      return { ...head, rows };
    } catch (error) {
      return cutShort({ ...head, rows }, signal.aborted ? messageOf(error) : `the run failed (${messageOf(error)})`);
    }
  } finally {
    await close();
  }
}

async function inBrowser(
  executable: string,
  options: RunOptions & { readonly browser: BrowserName },
  follow: Follow,
  signal: AbortSignal,
): Promise<Result> {
  await buildPage();
  const served = await servePage();
  try {
    const browser = await launch(options.browser, executable, options.headful ?? false);
    try {
      const page = await browser.newPage();
      await page.goto(served.address);
      return await runInPage(page, options, follow, signal);
    } finally {
      await browser.close();
    }
  } finally {
    await served.close();
  }
}

/** The page is gone and answers nothing more. */
class Gone extends Error {}

declare global {
  interface Window {
    /** Called on the program that drives the page: the progress, and rows that it has not had yet. */
    benchReport(progress: Omit<Progress, "rows">, rows: readonly Row[]): void;
  }
}

/**
 * Runs the suite in the benchmark's page. If the page goes away midway, the rows of finished cases are returned, with `incomplete`.
 *
 * @throws DeviceError if the browser has no WebGPU, or if the page goes away before a case is finished.
 */
export async function runInPage(
  page: Page,
  options: PageOptions & { readonly browser: BrowserName },
  follow: Follow,
  signal: AbortSignal,
): Promise<Result> {
  const { browser: name, filter, quick, every, rounds, titles } = options;
  const asked: PageOptions = { filter, quick, every, titles, ...(rounds !== undefined && { rounds }) };
  const gone = goneOf(page, signal);
  const unlessGone = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await Promise.race([work, gone.then((why) => Promise.reject(new Gone(why)))]);
    } catch (error) {
      // A call to the page may fail before its loss is known.
      const why = await Promise.race([gone, delay(500)]);
      throw why === undefined ? error : new Gone(why, { cause: error });
    }
  };
  const rows: Row[] = [];
  let head: Omit<Result, "rows"> | undefined;
  try {
    const version = await unlessGone(page.browser().version());
    await page.exposeFunction("benchReport", (progress: Omit<Progress, "rows">, news: readonly Row[]) => {
      rows.push(...news);
      follow(progress, 0);
    });
    try {
      head = { ...(await unlessGone(page.evaluate((of) => window.describeBench(of), asked))), browser: version };
    } catch (error) {
      if (error instanceof Gone) throw error;
      throw withoutAdapter(name, version, messageOf(error));
    }
    const result = await unlessGone(
      page.evaluate((of) => {
        // Sending all rows every time would keep both processes busy while the next turn is timed.
        let reported = 0;
        window.onBenchProgress = ({ rows, ...progress }) => {
          window.benchReport(progress, rows.slice(reported));
          reported = rows.length;
        };
        return window.runBench(of);
      }, asked),
    );
    return { ...result, browser: version };
  } catch (error) {
    if (error instanceof FalllineError) throw error;
    const why = error instanceof Gone ? error.message : `the page failed (${messageOf(error)})`;
    if (!head) throw new DeviceError(`${why} before anything was measured; nothing is written`, { cause: error });
    return cutShort({ ...head, rows }, why);
  }
}

/** Resolves with the reason why the page answers nothing more. */
function goneOf(page: Page, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    page.once("close", () => resolve("the tab was closed"));
    page.once("error", () => resolve("the page crashed"));
    page.browser().once("disconnected", () => resolve("the browser was closed"));
    const interrupted = () => resolve(messageOf(signal.reason));
    if (signal.aborted) interrupted();
    else signal.addEventListener("abort", interrupted);
  });
}

function delay(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

/** Ctrl-C stops the run with what there is; again, after a second, it ends it at once (npm passes the first one on twice). */
function interruptible(): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  let first = 0;
  const stop = () => {
    first ||= performance.now();
    if (performance.now() > first + 1000) process.exit(130);
    controller.abort(new Error("it was interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const each of signals) process.on(each, stop);
  return {
    signal: controller.signal,
    end() {
      for (const each of signals) process.off(each, stop);
    },
  };
}

/** One bar on stderr: the run's cases, and how far the case is; a line for each case if stderr is not a terminal. */
function createBar(total: number): { readonly follow: Follow; stop(): void } {
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: "case {number} of {cases} {bar} {case}: {doing}",
      barsize: 20,
      hideCursor: true,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  let current = -1;
  return {
    follow({ case: name, doing, done, total: steps, casesDone }, before) {
      const number = before + casesDone + 1;
      const fields = { number, cases: total, case: name, doing };
      if (!process.stderr.isTTY) {
        if (number !== current) process.stderr.write(`case ${number} of ${total}: ${name}\n`);
      } else if (current < 0) {
        bar.start(steps, done, fields);
      } else {
        bar.setTotal(steps);
        bar.update(done, fields);
      }
      current = number;
    },
    stop: () => bar.stop(),
  };
}
