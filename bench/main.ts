// The benchmark's page: runs the cases, shows how far they are and a table that grows, and hands the result over, to a
// person by "copy result", to a program by `runBench`.
import { describeAdapter, requestDevice } from "../src/index.ts";
import { chosen, pageCases } from "./cases.ts";
import { detailsOf, tableOf } from "./report.ts";
import { messageOf, type Progress, type Result, type Row, runCases, type SuiteOptions } from "./suite.ts";
import "../src/page/style.css";
import "./style.css";

/** What a run is asked for, as plain JSON. */
export interface PageOptions extends Pick<SuiteOptions, "quick" | "rounds"> {
  /** Only the cases that have this in their suite and name. */
  readonly filter?: string;
}

declare global {
  interface Window {
    /** For programs that drive the page; rejects where there is no WebGPU. */
    runBench(options: PageOptions): Promise<Result>;
    /** Called as a run goes on, where a program has put it there. */
    onBenchProgress?: (progress: Progress) => void;
  }
}

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const buttons = ["run", "quick"].map((id) => element<HTMLButtonElement>(id));
const stopButton = element<HTMLButtonElement>("stop");
const copyButton = element<HTMLButtonElement>("copy");
const progressBar = element<HTMLProgressElement>("progress");
let stopping = new AbortController();
let last: Result | undefined;

function show(id: string, text: string): void {
  element(id).textContent = text;
}

function showRows(rows: readonly Row[]): void {
  const lines = tableOf(rows).map((words, i) => {
    const line = document.createElement("tr");
    for (const word of words) {
      const cell = document.createElement(i === 0 ? "th" : "td");
      cell.textContent = word;
      line.append(cell);
    }
    return line;
  });
  element("rows").replaceChildren(...lines);
}

async function adapterOf(): Promise<Result["adapter"]> {
  const device = await requestDevice();
  const found = describeAdapter(device.adapterInfo);
  device.destroy();
  return found;
}

function browserName(): string {
  return /(Firefox|Edg|Chrome|HeadlessChrome|Version)\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;
}

window.runBench = async ({ filter = "", ...options }) => {
  const date = new Date().toISOString();
  const adapter = await adapterOf();
  stopping = new AbortController();
  // What stands there is of the run before.
  show("details", "");
  const rows = await runCases(chosen(pageCases, filter), {
    ...options,
    signal: stopping.signal,
    onProgress(progress) {
      show("status", `${progress.case}: ${progress.doing}`);
      progressBar.value = progress.done / progress.total;
      showRows(progress.rows);
      window.onBenchProgress?.(progress);
    },
  });
  last = { format: "fallline-bench/1", adapter, browser: browserName(), date, quick: options.quick ?? false, rows };
  showRows(rows);
  show("details", detailsOf(rows));
  show("status", "done");
  progressBar.value = 1;
  copyButton.disabled = false;
  return last;
};

async function run(quick: boolean): Promise<void> {
  for (const button of buttons) button.disabled = true;
  stopButton.disabled = false;
  try {
    await window.runBench({ quick, filter: element<HTMLSelectElement>("case").value });
  } catch (error) {
    show("status", stopping.signal.aborted ? "stopped" : messageOf(error));
    progressBar.value = 0;
  }
  for (const button of buttons) button.disabled = false;
  stopButton.disabled = true;
}

for (const { suite, name } of pageCases) element<HTMLSelectElement>("case").add(new Option(name, `${suite}: ${name}`));
for (const button of buttons) button.onclick = () => run(button.id === "quick");
stopButton.onclick = () => stopping.abort();
copyButton.onclick = async () => {
  await navigator.clipboard.writeText(JSON.stringify(last, null, 2));
  show("status", "the result is in the clipboard, as JSON");
};
