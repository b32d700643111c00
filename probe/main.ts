// The probe's page: runs everything on the visitor's device, shows what was found as it comes, and hands it over as one JSON.
import { messageOf } from "../bench/suite.ts";
import { h } from "../src/app/page/elements.ts";
import { refuseMarkup } from "../src/app/page/no_markup.ts";
import { described, lineOf, requestDevice } from "../src/engines/gpu/device.ts";
import trajectories from "../test/golden/replay.json?url";
import matrices from "../test/golden/replay-matrices.json?url";
import { facts } from "./facts.ts";
import { type ProbeOptions, type ProbeResult, runProbe } from "./probe.ts";

declare global {
  interface Window {
    /** For programs that drive the page; rejects where there is no WebGPU. */
    runProbe(options?: Pick<ProbeOptions, "only" | "rounds">): Promise<ProbeResult>;
  }
}

refuseMarkup();

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [runButton, stopButton, copyButton, shareButton] = ["run", "stop", "copy", "share"].map((id) =>
  element<HTMLButtonElement>(id),
) as [HTMLButtonElement, HTMLButtonElement, HTMLButtonElement, HTMLButtonElement];
const progress = element<HTMLProgressElement>("progress");
let stopping = new AbortController();
let last: ProbeResult | undefined;

const say = (text: string) => {
  element("status").textContent = text;
};

function warn(text: string): void {
  element("banner").textContent = text;
  element("banner").hidden = false;
}

const jsonOf = (result: ProbeResult) => `${JSON.stringify(result, null, 2)}\n`;
const fileOf = (result: ProbeResult) =>
  new File([jsonOf(result)], `fallline-probe-${result.date.slice(0, 10)}.json`, { type: "application/json" });

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} could not be fetched: ${response.status} ${response.statusText}`);
  return response.text();
}

/** A heading, and a table in a box in which it scrolls; lines that are wrong stand out. */
function table(title: string, head: readonly string[], lines: readonly (readonly [wrong: boolean, ...string[]])[]) {
  if (lines.length === 0) return [];
  const body = lines.map(([wrong, first, ...rest]) =>
    h(
      "tr",
      wrong ? { class: "wrong" } : {},
      h("th", { scope: "row" }, first),
      ...rest.map((text) => h("td", {}, text)),
    ),
  );
  const names = h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text))));
  return [h("h2", {}, title), h("div", { class: "scroll" }, h("table", {}, names, h("tbody", {}, ...body)))];
}

const digits = (value: number | null) =>
  value === null
    ? "–"
    : value !== 0 && Math.abs(value) < 1e-3
      ? value.toExponential(1)
      : String(Number(value.toPrecision(3)));
const yes = (value: boolean | null) => (value === null ? "not tested" : value ? "yes" : "no");

function show({ recorded, facts: found, errors, probes, bench }: ProbeResult): void {
  const { quotient, inverse, root, exponential, logarithm, tanh } = errors;
  element("found").replaceChildren(
    ...table(
      "Recorded trajectories",
      ["case", "largest error", "÷ the source's float32 error", "verdict"],
      recorded.map(({ id, ok, maxAbs, ratio, error }) => [
        !ok,
        id,
        digits(maxAbs),
        digits(ratio),
        error ?? (ok ? "ok" : "off"),
      ]),
    ),
    ...table(
      "What kernels rely on",
      ["probe", "holds"],
      Object.entries(probes).map(([name, holds]) => [holds === false, name, yes(holds)]),
    ),
    ...table(
      "How this device treats numbers",
      ["statement", "here", "name in the JSON"],
      facts.map(({ name, about, needed }) => {
        const value = found[name]!;
        return [needed !== undefined && value !== needed, about, yes(value), name];
      }),
    ),
    ...table(
      "Errors of functions",
      ["function", "error", "in"],
      [
        [quotient > 2.5, "x / y", digits(quotient), "units in the last place"],
        [inverse > 2.5, "1 / x", digits(inverse), "units in the last place"],
        [false, "√x", digits(root), "units in the last place"],
        [false, "exp(-x)", digits(exponential), "of 1"],
        [false, "log(x)", digits(logarithm), "of the larger of 1 and the value"],
        [false, "tanh(x)", digits(tanh), "of 1"],
      ],
    ),
    ...table(
      "Benchmark",
      ["case", "engine", "ms per step", "note"],
      bench.map((row) => [
        row.error !== undefined || row.agrees === false,
        row.case,
        row.engine,
        digits(row.ms),
        row.error ?? "",
      ]),
    ),
  );
}

/** Takes a run's end as what is copied, saved and shared. */
function keep(result: ProbeResult): void {
  last = result;
  copyButton.disabled = false;
  const file = fileOf(result);
  shareButton.disabled = false;
  shareButton.hidden = !navigator.canShare?.({ files: [file] });
  element("download").replaceChildren(h("a", { href: URL.createObjectURL(file), download: file.name }, "save JSON"));
  show(result);
}

window.runProbe = async (options = {}) => {
  stopping = new AbortController();
  runButton.disabled = true;
  stopButton.disabled = false;
  say("starting …");
  let device: GPUDevice | undefined;
  try {
    device = await requestDevice();
    element("adapter").textContent = `Runs on ${lineOf(described(device.adapterInfo))}.`;
    const result = await runProbe({
      ...options,
      device,
      recorded: await Promise.all([trajectories, matrices].map(textOf)),
      agent: navigator.userAgent,
      signal: stopping.signal,
      onProgress(doing, share, found) {
        say(doing);
        progress.value = share;
        show(found);
      },
    });
    progress.value = 1;
    keep(result);
    say(result.incomplete ? "stopped; what was finished is kept" : "done: copy, save or share the JSON");
    return result;
  } catch (error) {
    say(messageOf(error));
    throw error;
  } finally {
    device?.destroy();
    runButton.disabled = false;
    stopButton.disabled = true;
  }
};

runButton.onclick = () => {
  // It has said what went wrong.
  window.runProbe().catch((error) => console.warn(error));
};
stopButton.onclick = () => stopping.abort();
copyButton.onclick = async () => {
  if (!last) return;
  try {
    await navigator.clipboard.writeText(jsonOf(last));
    say("the result is in the clipboard, as JSON");
  } catch (error) {
    say(`the clipboard refused: ${messageOf(error)}; "save JSON" gives the same`);
  }
};
shareButton.onclick = async () => {
  if (!last) return;
  try {
    await navigator.share({ files: [fileOf(last)], title: "fallline probe" });
  } catch (error) {
    say(`it was not shared: ${messageOf(error)}`);
  }
};

try {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  // Throws what is missing.
  if (!adapter) await requestDevice();
  else element("adapter").textContent = `Runs on ${lineOf(described(adapter.info))}.`;
} catch (error) {
  element("adapter").hidden = true;
  runButton.disabled = true;
  warn(`${messageOf(error)}. This browser cannot be probed as it is.`);
}
