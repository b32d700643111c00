// The page: trains the main job in the browser and draws its loss as it falls, or finds a rate for it first. Everything it
// shows comes from the same engine, run config, range test and charts as the command line's.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { DeviceError, FalllineError } from "../errors.ts";
import { requestDevice } from "../gpu/device.ts";
import { lossChart, rangeChart } from "../lab/chart.ts";
import { type JobOptions, jobConfig, jobDefaults, standardLr } from "../lab/defaults.ts";
import { findLr, rangeDefaults } from "../lab/range_test.ts";
import type { RangePoint, Suggestions } from "../lab/suggest.ts";
import { endWords, runTitle, short } from "../lab/words.ts";
import { rules } from "../rules/index.ts";
import { cpuEngine, type Engine, engineLine, webgpuEngine } from "../train/engine.ts";
import { train } from "../train/train.ts";
import { loadMnist } from "./mnist.ts";
import { refuseMarkup } from "./no_markup.ts";

refuseMarkup();
use([LineChart, GridComponent, LegendComponent, TitleComponent, CanvasRenderer]);

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const form = element<HTMLFormElement>("job");
const trainButton = element<HTMLButtonElement>("train");
const findButton = element<HTMLButtonElement>("find-rate");
const stopButton = element<HTMLButtonElement>("stop");
const progress = element<HTMLProgressElement>("progress");
const chart = init(element("chart"));
addEventListener("resize", () => chart.resize());

function show(id: string, text: string): void {
  element(id).textContent = text;
}

function field(name: string): HTMLInputElement {
  return form.elements.namedItem(name) as HTMLInputElement;
}

/**
 * Fills the form with the main job, or what the page's address says instead (?steps=20&batch=32 …), and tells what of that
 * its fields do not take.
 */
function fillForm(): void {
  const select = form.elements.namedItem("rule") as HTMLSelectElement;
  for (const { name } of rules) select.add(new Option(name));
  const asked = new URLSearchParams(location.search);
  const wrong: string[] = [];
  for (const [name, constant] of Object.entries({ ...jobDefaults, find: rangeDefaults.steps })) {
    const [input, word] = [field(name), asked.get(name)];
    const standard = String(name === "lr" ? standardLr(select.value) : constant);
    input.value = word ?? standard;
    if (word === null || (input.value === word && input.validity.valid)) continue;
    input.value = standard;
    wrong.push(`${name} is "${word}" in the address, which its field does not take: it is ${standard} instead`);
  }
  show("status", wrong.join("; "));
  show("ramp", `${short(rangeDefaults.start)} to ${short(rangeDefaults.end)}`);
  select.onchange = () => {
    field("lr").value = String(standardLr(select.value));
  };
  form.onchange = () => {
    if (foundFor !== curveOf()) element("suggestions").replaceChildren();
  };
}

/** What of the form a range test's curve depends on, and that of the suggestions on show. */
const curveOf = () => ["model", "rule", "batch", "seed"].map((name) => field(name).value).join();
let foundFor = "";

function readForm(): JobOptions {
  const fields = new FormData(form);
  const text = (name: string) => String(fields.get(name));
  const number = (name: string) => Number(fields.get(name));
  return {
    model: text("model"),
    rule: text("rule"),
    lr: number("lr"),
    batch: number("batch"),
    steps: number("steps"),
    seed: number("seed"),
  };
}

async function openEngine(): Promise<Engine> {
  try {
    const device = await requestDevice();
    device.addEventListener("uncapturederror", (event) => {
      console.error(`uncaptured GPU error: ${(event as GPUUncapturedErrorEvent).error.message}`);
    });
    return webgpuEngine(device);
  } catch (error) {
    if (!(error instanceof DeviceError)) {
      show("adapter", messageOf(error));
      throw error;
    }
    const banner = element("banner");
    banner.textContent = `${error.message}. Training runs on the CPU reference instead, several times slower.`;
    banner.hidden = false;
    return cpuEngine();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What the form's job is called. */

let drawnAt = 0;

/** Draws a chart anew, but not more often than ten times a second unless it is the last one. */
function draw(option: () => Record<string, unknown>, last = false): void {
  if (!last && performance.now() - drawnAt < 100) return;
  drawnAt = performance.now();
  chart.setOption({ ...option(), animation: false }, { notMerge: true });
}

async function run(engine: Engine, signal: AbortSignal): Promise<void> {
  const config = jobConfig(readForm());
  reset(config.steps);
  const { train: data, test } = await loadMnist();
  const title = runTitle(config);
  const losses: number[] = [];
  show("status", "compiling kernels …");
  let started = 0;
  const result = await train(engine, config, data, {
    test,
    signal,
    onStart() {
      started = performance.now();
      show("status", "training …");
    },
    onStep({ index, loss, lr, gradientNorm }) {
      losses.push(loss);
      showStep(index, config.steps, { loss, lr, started });
      show("norm", fixed(gradientNorm, 3));
      draw(() => lossChart({ title, losses }), index === config.steps);
    },
    onTest(rows) {
      show("status", `testing: ${rows.toLocaleString("en")} of ${test.count.toLocaleString("en")} images …`);
    },
  });
  draw(() => lossChart({ title, losses }), true);
  if (result.testAccuracy !== null) show("accuracy", `${(100 * result.testAccuracy).toFixed(2)} %`);
  show("status", result.interrupted ? `stopped after ${losses.length} steps` : "done");
}

async function find(engine: Engine, signal: AbortSignal): Promise<void> {
  const config = jobConfig(readForm());
  const steps = Number(field("find").value);
  reset(steps);
  element("suggestions").replaceChildren();
  foundFor = curveOf();
  const { train: data } = await loadMnist();
  const title = `range test of ${runTitle(config)}`;
  const points: RangePoint[] = [];
  show("status", "compiling kernels …");
  const started = performance.now();
  const found = await findLr(engine, config, data, {
    steps,
    signal,
    onPoint({ index, ...point }) {
      points.push(point);
      show("status", "trying rates …");
      showStep(index, steps, { ...point, started });
      draw(() => rangeChart({ title, points }));
    },
  });
  draw(() => rangeChart({ title, ...found }), true);
  // The fields may have changed meanwhile.
  if (foundFor === curveOf()) offer(found);
  const unsaid = found.suggested.lr === null && !found.notes.includes(found.suggested.reason);
  show("status", [endWords(found), ...found.notes, ...(unsaid ? [found.suggested.reason] : [])].join("; "));
}

/** Takes away what the page shows of the work before. */
function reset(steps: number): void {
  for (const number of document.querySelectorAll("#numbers dd")) number.textContent = "–";
  progress.value = 0;
  progress.max = steps;
  chart.clear();
  show("status", "loading MNIST …");
}

function showStep(index: number, steps: number, at: { loss: number; lr: number; started: number }): void {
  progress.value = index;
  show("step", `${index} / ${steps}`);
  show("loss", fixed(at.loss, 4));
  show("lr", short(at.lr));
  show("rate", ((1000 * index) / (performance.now() - at.started)).toFixed(2));
}

/** With so many decimals, which would be many digits where a run diverges. */
function fixed(value: number, decimals: number): string {
  return Math.abs(value) < 1e4 ? value.toFixed(decimals) : short(value);
}

/** Lists what a curve suggests; a click takes a rate into the form. */
function offer({ suggestions, suggested }: Suggestions): void {
  const items = Object.entries(suggestions).map(([name, { lr, reason }]) => {
    const item = document.createElement("li");
    if (lr !== null) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${name} ${short(lr)}`;
      button.classList.toggle("suggested", name === suggested.name);
      button.onclick = () => {
        field("lr").value = short(lr);
      };
      item.append(button, ` ${reason}`);
    } else {
      item.append(`${name}: ${reason}`);
    }
    return item;
  });
  element("suggestions").replaceChildren(...items);
}

/** One thing at a time, which the stop button ends; what goes wrong is shown, and what fallline did not refuse is thrown on. */
async function busy(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  stopButton.onclick = () => stop.abort();
  stopButton.disabled = false;
  trainButton.disabled = true;
  findButton.disabled = true;
  try {
    await work(stop.signal);
  } catch (error) {
    show("status", messageOf(error));
    if (!(error instanceof FalllineError)) throw error;
  } finally {
    trainButton.disabled = false;
    findButton.disabled = false;
    stopButton.disabled = true;
  }
}

fillForm();
const engine = await openEngine();
show("adapter", engineLine(engine));
trainButton.disabled = false;
findButton.disabled = false;
form.onsubmit = (event) => {
  event.preventDefault();
  return busy((signal) => run(engine, signal));
};
findButton.onclick = () => {
  if (form.reportValidity()) busy((signal) => find(engine, signal));
};
