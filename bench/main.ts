// The benchmark's page: runs the cases, shows their progress, with tables and charts that grow, and hands over the result, to a
// person by "copy result", to a program by `runBench`.

import { followLooks } from "../src/app/page/looks.ts";
import { visible } from "../src/app/page/visible.ts";
import { type AdapterDescription, adapterLine, describeAdapter, requestDevice } from "../src/index.ts";
import { chosen, pageCases, type Selection, titleOf, withoutEngines } from "./cases.ts";
import { type ResultHead, resultHead } from "./head.ts";
import { kernelsOf, remarksOf, sentence, summaryOf, tablesOf } from "./report.ts";
import { runCases } from "./run_cases.ts";
import { type Case, messageOf, type Progress, type Result, type Row, type SuiteOptions } from "./suite.ts";

/** The options of a run, as plain JSON. */
export interface PageOptions extends Selection, Pick<SuiteOptions, "rounds"> {
  /** Engines to leave out; default none. */
  readonly without?: readonly string[] | undefined;
}

declare global {
  interface Window {
    /** For programs that drive the page: the head of a result, so that the rows of an interrupted run have it too. */
    describeBench(options: PageOptions): Promise<ResultHead>;
    /**
     * For programs that drive the page. If they stop the run, it resolves with the rows of the finished cases and `incomplete`;
     * rejects if there is no WebGPU.
     */
    runBench(options: PageOptions): Promise<Result>;
    /** Called as a run goes on, if a program has set it. */
    onBenchProgress?: (progress: Progress) => void;
  }
}

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const caseSelect = element<HTMLSelectElement>("case");
const runButtons = ["run", "quick"].map((id) => element<HTMLButtonElement>(id));
const stopButton = element<HTMLButtonElement>("stop");
const copyButton = element<HTMLButtonElement>("copy");
const runProgress = element<HTMLProgressElement>("progress");
const caseProgress = element<HTMLProgressElement>("case-progress");
let stopping = new AbortController();
let last: Result | undefined;

// The charts' library is as large as all the rest, and optional: without it there are only tables.
const charts = import("./live_charts.ts").then(
  ({ createCharts }) => createCharts(element("cost"), element("times")),
  (error) => {
    showBanner(`The charts did not load: ${sentence(messageOf(error))}`);
    return { draw: () => {}, recolor: () => {} };
  },
);
followLooks(async () => (await charts).recolor());

function show(id: string, text: string): void {
  element(id).textContent = text;
}

function showBanner(text: string): void {
  show("banner", text);
  element("banner").hidden = false;
}

function showAdapter(adapter: AdapterDescription): void {
  const caution = ". Its times compare the engines on this adapter, and say little about a GPU.";
  show("adapter", `Runs on ${adapterLine(adapter)}${adapter.software ? caution : "."}`);
  element("adapter").className = adapter.software ? "software" : "";
}

/** Shows what will run, or what is missing, beforehand. */
async function lookForAdapter(): Promise<void> {
  try {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    // Throws with what is missing.
    if (!adapter) await requestDevice();
    else showAdapter(describeAdapter(adapter.info));
  } catch (error) {
    element("adapter").className = "missing";
    showBanner(`${sentence(messageOf(error))} Nothing can be measured in this browser as it is.`);
  }
}

function cell(tag: "td" | "th", text: string, words = false): HTMLTableCellElement {
  const made = document.createElement(tag);
  made.textContent = text;
  if (words) made.className = "words";
  return made;
}

/** A heading, and a table in a scrolling box. Each body is one case. */
function tableElement(title: string, said: string, head: readonly string[], bodies: readonly HTMLElement[][]): Node[] {
  const [table, box] = [document.createElement("table"), document.createElement("div")];
  const first = table.createTHead().insertRow();
  first.append(...head.map((text, i) => cell("th", text, i === 0 || text === "engine")));
  for (const lines of bodies) table.createTBody().append(...lines);
  box.className = "scroll";
  box.append(table);
  const [heading, words] = [document.createElement("h2"), document.createElement("p")];
  heading.textContent = title;
  words.className = "said";
  words.textContent = said;
  return [heading, ...(said ? [words] : []), box];
}

function lineElement(cells: readonly HTMLElement[], ours = false): HTMLElement {
  const line = document.createElement("tr");
  if (ours) line.className = "ours";
  line.append(...cells);
  return line;
}

function showTables(rows: readonly Row[]): void {
  const summary = summaryOf(rows);
  const lines = summary.lines.map(([first = "", ...rest]) => [
    lineElement([cell("th", first, true), ...rest.map((text) => cell("td", text))]),
  ]);
  element("summary").replaceChildren(
    ...(lines.length > 0 ? tableElement("summary", summary.said.join(" "), summary.head, lines) : []),
  );
  element("rows").replaceChildren(
    ...tablesOf(rows).flatMap(({ title, head, cases }) => {
      const bodies = cases.map(({ name, rows: of }) =>
        of.map(({ engine, ours, cells }, i) => {
          const caseCell = cell("th", name, true);
          caseCell.rowSpan = of.length;
          const numbers = cells.map((text) => cell("td", text));
          return lineElement([...(i === 0 ? [caseCell] : []), cell("td", engine, true), ...numbers], ours);
        }),
      );
      return tableElement(title, "", ["case", "engine", ...head], bodies);
    }),
  );
}

/** Fills the part below the tables. */
function showDetails(rows: readonly Row[]): void {
  show("kernels", kernelsOf(rows).join("\n\n"));
  const remarks = remarksOf(rows).map((text) => Object.assign(document.createElement("li"), { textContent: text }));
  element("remarks").replaceChildren(...remarks);
}

/** Between two cases, so that nothing is drawn during a measurement. */
async function showResult(result: Result): Promise<void> {
  showTables(result.rows);
  (await charts).draw(result);
}

/** Keeps the result of a run, however it ended, for copying and downloading. */
async function keep(result: Result): Promise<void> {
  last = result;
  copyButton.disabled = false;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([jsonOf(result)], { type: "application/json" }));
  link.download = `fallline-bench-${result.date.slice(0, 10)}.json`;
  link.textContent = "download JSON";
  element("download").replaceChildren(link);
  showDetails(result.rows);
  await showResult(result);
}

const jsonOf = (result: Result) => `${JSON.stringify(result, null, 2)}\n`;

function browserName(): string {
  return /(Firefox|Edg|Chrome|HeadlessChrome|Version)\/[\d.]+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent;
}

window.describeBench = ({ quick }) => resultHead(browserName(), quick);

window.runBench = (options) => runThese(chosen(options).page, options);

/** @param turn As in {@link SuiteOptions}. */
async function runThese(cases: readonly Case[], options: PageOptions, turn?: () => Promise<void>): Promise<Result> {
  const { quick = false, rounds, without = [] } = options;
  stopping = new AbortController();
  for (const button of runButtons) button.disabled = true;
  stopButton.disabled = false;
  // "done" belonged to the previous run.
  show("status", "starting …");
  runProgress.value = 0;
  caseProgress.value = 0;
  try {
    const head = await window.describeBench(options);
    showAdapter(head.adapter);
    // The details there belong to the previous run.
    showDetails([]);
    let rows: readonly Row[] = [];
    await showResult({ ...head, rows });
    try {
      rows = await runCases(withoutEngines(cases, without), {
        quick,
        ...(rounds !== undefined && { rounds }),
        ...(turn && { turn }),
        signal: stopping.signal,
        onProgress(progress) {
          showProgress(progress);
          if (progress.rows.length > rows.length) {
            rows = [...progress.rows];
            showResult({ ...head, rows });
          }
          window.onBenchProgress?.(progress);
        },
      });
    } catch (error) {
      const stopped = stopping.signal.aborted;
      const result: Result = { ...head, rows, incomplete: stopped ? "stopped" : messageOf(error) };
      // A result without rows would only replace a better one.
      const kept = rows.length > 0 ? result : last;
      if (kept) await keep(kept);
      if (!stopped) throw error;
      show(
        "status",
        rows.length > 0
          ? `stopped; the finished rows are kept: ${rows.length}`
          : `stopped before a case was finished${kept ? "; the previous result is kept" : ""}`,
      );
      return result;
    }
    const result: Result = { ...head, rows };
    await keep(result);
    show("status", "done");
    runProgress.value = 1;
    caseProgress.value = 1;
    return result;
  } finally {
    for (const button of runButtons) button.disabled = false;
    stopButton.disabled = true;
  }
}

function showProgress({ case: name, doing, done, total, casesDone, cases }: Progress): void {
  if (!stopping.signal.aborted) show("status", `case ${casesDone + 1} of ${cases}, ${name}: ${doing}`);
  caseProgress.value = done / total;
  runProgress.value = (casesDone + done / total) / cases;
}

/** The selected cases: those of the run, of a suite, or one. */
function selected(quick: boolean): readonly Case[] {
  const { value, selectedOptions } = caseSelect;
  const one = pageCases.filter((each) => selectedOptions[0]?.dataset.one && titleOf(each) === value);
  return one.length > 0 ? one : chosen({ quick, filter: value }).page;
}

/** A visitor's run waits while its tab is hidden, where timers are throttled and times mean little. */
async function seen(): Promise<void> {
  if (document.hidden) show("status", "paused while this tab is hidden");
  await visible();
}

async function run(quick: boolean): Promise<void> {
  try {
    await runThese(selected(quick), { quick, without: unticked() }, seen);
  } catch (error) {
    show("status", messageOf(error));
  }
}

/** With whom one may compare, and what they are called in rows. */
const peers: Readonly<Record<string, readonly string[]>> = {
  tfjs: ["tfjs"],
  "jax-js": ["jaxjs"],
  "kernels by hand": ["naive", "textbook"],
  "plain JavaScript": ["plain"],
};
const peerBoxes = Object.entries(peers).map(([name, engines]) => {
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  const label = document.createElement("label");
  label.append(box, name);
  element("peers").append(label);
  return { box, engines };
});

const unticked = () => peerBoxes.filter(({ box }) => !box.checked).flatMap(({ engines }) => engines);

for (const suite of new Set(pageCases.map((each) => each.suite))) {
  const group = document.createElement("optgroup");
  group.label = suite;
  group.append(new Option(`all ${suite} cases of the run`, `${suite}: `));
  for (const each of pageCases) {
    if (each.suite !== suite) continue;
    const option = new Option(each.name, titleOf(each));
    option.dataset.one = "yes";
    group.append(option);
  }
  caseSelect.append(group);
}
for (const button of runButtons) button.onclick = () => run(button.id === "quick");
stopButton.onclick = () => {
  show("status", "stopping after the current turn …");
  stopping.abort();
};
copyButton.onclick = async () => {
  if (!last) return;
  try {
    await navigator.clipboard.writeText(jsonOf(last));
    show("status", "the result is on the clipboard, as JSON");
  } catch (error) {
    show("status", `copying failed: ${messageOf(error)}; use "download JSON"`);
  }
};
lookForAdapter();
