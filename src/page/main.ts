// The page: trains the main job in the browser and draws its loss as it falls. Everything it shows comes from the same
// engine, run config and chart as the command line's.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { DeviceError, FalllineError } from "../errors.ts";
import { requestDevice } from "../gpu/device.ts";
import { lossChart } from "../lab/chart.ts";
import { type JobOptions, jobConfig, jobDefaults, standardLr } from "../lab/defaults.ts";
import { rules } from "../rules/index.ts";
import { cpuEngine, type Engine, engineLine, webgpuEngine } from "../train/engine.ts";
import { train } from "../train/train.ts";
import { loadMnist } from "./mnist.ts";
import "./style.css";

use([LineChart, GridComponent, LegendComponent, TitleComponent, CanvasRenderer]);

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const form = element<HTMLFormElement>("job");
const trainButton = element<HTMLButtonElement>("train");
const stopButton = element<HTMLButtonElement>("stop");
const progress = element<HTMLProgressElement>("progress");
const chart = init(element("chart"));
addEventListener("resize", () => chart.resize());

function show(id: string, text: string): void {
  element(id).textContent = text;
}

/** Fills the form with the main job, or what the page's address says instead (?steps=20&batch=32 …). */
function fillForm(): void {
  const select = form.elements.namedItem("rule") as HTMLSelectElement;
  for (const { name } of rules) select.add(new Option(name));
  const asked = new URLSearchParams(location.search);
  for (const [name, standard] of Object.entries(jobDefaults)) {
    (form.elements.namedItem(name) as HTMLInputElement).value = asked.get(name) ?? String(standard);
  }
  const rate = form.elements.namedItem("lr") as HTMLInputElement;
  const suit = () => {
    rate.value = String(standardLr(select.value));
  };
  if (!asked.has("lr")) suit();
  select.onchange = suit;
}

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
    if (!(error instanceof DeviceError)) throw error;
    const banner = element("banner");
    banner.textContent = `${error.message}. Training runs on the CPU reference instead, several times slower.`;
    banner.hidden = false;
    return cpuEngine();
  }
}

async function run(engine: Engine): Promise<void> {
  const config = jobConfig(readForm());
  show("status", "loading MNIST …");
  const { train: data, test } = await loadMnist();
  const stop = new AbortController();
  stopButton.onclick = () => stop.abort();
  stopButton.disabled = false;
  const title = `${config.model.layers.join("-")} on MNIST, ${(config.optimizer as { rule: string }).rule}`;
  const losses: number[] = [];
  progress.max = config.steps;
  show("status", "compiling kernels …");
  show("accuracy", "–");
  let started = 0;
  let drawn = 0;
  const draw = () => {
    drawn = performance.now();
    chart.setOption({ ...lossChart({ title, losses }), animation: false });
  };
  const result = await train(engine, config, data, {
    test,
    signal: stop.signal,
    onStart() {
      started = performance.now();
      show("status", "training …");
    },
    onStep({ index, loss, lr, gradientNorm }) {
      losses.push(loss);
      progress.value = index;
      show("step", `${index} / ${config.steps}`);
      show("loss", loss.toFixed(4));
      show("lr", lr.toExponential(2));
      show("norm", gradientNorm.toFixed(3));
      show("rate", ((1000 * index) / (performance.now() - started)).toFixed(2));
      if (performance.now() - drawn > 100 || index === config.steps) draw();
    },
    onTest(rows) {
      show("status", `testing: ${rows.toLocaleString("en")} of ${test.count.toLocaleString("en")} images …`);
    },
  });
  draw();
  if (result.testAccuracy !== null) show("accuracy", `${(100 * result.testAccuracy).toFixed(2)} %`);
  show("status", result.interrupted ? `stopped after ${losses.length} steps` : "done");
}

fillForm();
const engine = await openEngine();
show("adapter", engineLine(engine));
trainButton.disabled = false;
form.onsubmit = async (event) => {
  event.preventDefault();
  trainButton.disabled = true;
  try {
    await run(engine);
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    show("status", error.message);
  } finally {
    trainButton.disabled = false;
    stopButton.disabled = true;
  }
};
