// The page: trains the main job in the browser and draws its loss as it falls, or finds a rate for it first. Everything it
// shows comes from the same engine, run config, range test and charts as the command line's. A run is kept as it goes on, so
// that one whose page was closed or whose device was lost continues.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { DataError, FalllineError, OptionError } from "../../base/errors.ts";
import { lossChart, rangeChart } from "../../lab/chart.ts";
import { type JobOptions, jobConfig, jobDefaults, usualRate } from "../../lab/defaults.ts";
import { findLr, rangeDefaults } from "../../lab/lr_finder.ts";
import { divergedPhrase, endPhrase, runTitle, short, testedPhrase } from "../../lab/phrases.ts";
import type { RangePoint, Suggestions } from "../../lab/suggest.ts";
import { readRule } from "../../optimizer/read_config.ts";
import { rules } from "../../rules/index.ts";
import { type Engine, engineLine } from "../../train/engine.ts";
import { decodeRunCheckpoint } from "../../train/run_checkpoint.ts";
import { readRunConfig } from "../../train/run_config.ts";
import { train } from "../../train/train.ts";
import { createWatch, type WatchedStep } from "../../train/watch.ts";
import { currentEngine, type Found, newEngine } from "./engine.ts";
import { asOnlyKeeper, forgetRun, type KeptRun, keepRun, keptRun } from "./kept_run.ts";
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
const continueButton = element<HTMLButtonElement>("continue");
const forgetButton = element<HTMLButtonElement>("forget");
/** What starts something. */
const starters = [trainButton, findButton, continueButton, forgetButton];
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
 * Fills the form with the main job, or what the page's address says instead (?steps=20&batch=32 …), and reports what of that
 * its fields do not take.
 */
function fillForm(): void {
  const select = form.elements.namedItem("rule") as HTMLSelectElement;
  for (const { name } of rules) select.add(new Option(name));
  const asked = new URLSearchParams(location.search);
  const wrong: string[] = [];
  for (const [name, constant] of Object.entries({ ...jobDefaults, find: rangeDefaults.steps })) {
    const [input, word] = [field(name), asked.get(name)];
    const standard = String(name === "lr" ? usualRate(readRule("rule", select.value)) : constant);
    input.value = word ?? standard;
    if (word === null || (input.value === word && input.validity.valid)) continue;
    input.value = standard;
    wrong.push(`${name} is "${word}" in the address, which its field does not take: it is ${standard} instead`);
  }
  show("status", wrong.join("; "));
  show("ramp", `${short(rangeDefaults.start)} to ${short(rangeDefaults.end)}`);
  select.onchange = () => {
    field("lr").value = String(usualRate(readRule("rule", select.value)));
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

/** Says what runs, and why it is not the GPU. */
function showEngine({ engine, missing }: Found): Engine {
  show("adapter", engineLine(engine));
  if (missing !== null) show("banner", `${missing}. Training runs on the CPU reference instead, several times slower.`);
  element("banner").hidden = missing === null;
  return engine;
}

/** Says what went wrong with the run; nothing of an empty text. */
function showTrouble(text: string): void {
  show("trouble", text);
  element("trouble").hidden = text === "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

let drawnAt = 0;

/** Draws a chart anew, but not more often than ten times a second unless it is the last one. */
function draw(option: () => Record<string, unknown>, last = false): void {
  if (!last && performance.now() - drawnAt < 100) return;
  drawnAt = performance.now();
  chart.setOption({ ...option(), animation: false }, { notMerge: true });
}

/** Trains what the form says, or goes on with a run that was kept. */
async function run(engine: Engine, signal: AbortSignal, kept: KeptRun | null, keeps: boolean): Promise<void> {
  const before = kept && decodeRunCheckpoint(kept.bytes);
  const options = kept ? kept.options : readForm();
  const config = before ? before.config : jobConfig(options);
  const { steps } = config;
  showLoading(steps);
  const { train: data, test } = await loadMnist();
  const title = runTitle(config);
  const losses: number[] = [];
  const watch = createWatch();
  let divergedAt: number | null = null;
  const record = (step: WatchedStep) => {
    losses.push(step.loss);
    for (const event of watch.observe(step)) {
      const words = divergedPhrase(event);
      if (words === null || divergedAt !== null) continue;
      divergedAt = event.step;
      showTrouble(words);
    }
  };
  for (const [i, loss] of (before?.losses ?? []).entries()) record({ index: i + 1, loss });
  const made = losses.length;
  let saved = made;
  let unkept = keeps ? "" : "another tab keeps its run, so this one is not kept";
  show("status", "compiling kernels …");
  let started = 0;
  let reportedAt = 0;
  const result = await train({
    engine,
    ...config,
    data: { train: data, test, config: readRunConfig(config).data },
    signal,
    ...(kept ? { resume: kept.bytes } : {}),
    onStart() {
      started = performance.now();
      show("status", ["training …", unkept].filter(Boolean).join("; "));
    },
    onStep(progress) {
      record(progress);
      const { index, loss, lr, gradientNorm } = progress;
      showStep(index, steps, { loss, lr, started, made });
      show("norm", fixed(gradientNorm, 3));
      draw(() => lossChart({ title, losses, divergedAt }), index === steps);
    },
    onTest(rows) {
      // Not more often than can be read.
      if (rows < test.count && performance.now() - reportedAt < 250) return;
      reportedAt = performance.now();
      show("status", `testing: ${rows.toLocaleString("en")} of ${test.count.toLocaleString("en")} images …`);
    },
    async onCheckpoint({ step, bytes }) {
      saved = step;
      if (unkept) return;
      try {
        await keepRun({ options, step, steps, bytes });
      } catch (error) {
        // Training is worth more than what it keeps.
        unkept = `the run could not be kept: ${messageOf(error)}`;
      }
    },
    recover: () => recover(losses.length, saved),
  });
  draw(() => lossChart({ title, losses, divergedAt }), true);
  if (result.testAccuracy !== null) show("accuracy", `${(100 * result.testAccuracy).toFixed(2)} %`);
  if (result.testLoss !== null) show("test-loss", fixed(result.testLoss, 4));
  // What is finished needs no going on.
  if (!unkept && !result.interrupted) await forgetRun();
  const tested = testedPhrase(result.role);
  const ends = [
    result.interrupted ? `stopped after ${losses.length} steps` : "done",
    ...(divergedAt === null ? [] : [`diverged at step ${divergedAt}`]),
    ...(tested === null || result.interrupted ? [] : [tested]),
    ...(result.skipped > 0 ? [`${result.skipped} steps were skipped because a gradient was not finite`] : []),
    ...(unkept ? [unkept] : []),
  ];
  show("status", ends.join("; "));
}

/** Another engine for a run whose device was lost after some steps, of which some are saved. */
async function recover(steps: number, saved: number): Promise<Engine> {
  const lost = `the GPU's device was lost after ${steps} steps`;
  showTrouble(`${lost}; looking for another …`);
  const found = await newEngine();
  showTrouble(`${lost}; the run went on from step ${saved} on ${engineLine(found.engine)}`);
  show("status", "training …");
  return showEngine(found);
}

async function find(engine: Engine, signal: AbortSignal): Promise<void> {
  const config = jobConfig(readForm());
  const steps = Number(field("find").value);
  showLoading(steps);
  element("suggestions").replaceChildren();
  foundFor = curveOf();
  const { train: data } = await loadMnist();
  const title = `range test of ${runTitle(config)}`;
  const points: RangePoint[] = [];
  show("status", "compiling kernels …");
  const started = performance.now();
  const found = await findLr({
    engine,
    ...config,
    data,
    ramp: { steps },
    signal,
    onPoint({ index, ...point }) {
      points.push(point);
      show("status", "trying rates …");
      showStep(index, steps, { ...point, started, made: 0 });
      draw(() => rangeChart({ title, points }));
    },
    onTrial({ trial, lr, index, steps, loss }) {
      if (index === 1) progress.max = steps;
      progress.value = index;
      show("status", `short run ${trial}, at ${short(lr)} …`);
      show("loss", fixed(loss, 4));
      show("lr", short(lr));
    },
  });
  draw(() => rangeChart({ title, ...found }), true);
  // The fields may have changed meanwhile.
  if (foundFor === curveOf()) offer(found);
  const unsaid = found.suggested.lr === null && !found.notes.includes(found.suggested.reason);
  show("status", [endPhrase(found), ...found.notes, ...(unsaid ? [found.suggested.reason] : [])].join("; "));
}

/** Takes away what the page shows of the work before. */
function reset(): void {
  for (const number of document.querySelectorAll("#numbers dd")) number.textContent = "–";
  progress.value = 0;
  chart.clear();
  element("kept").hidden = true;
  showTrouble("");
  show("status", "starting …");
}

/** Says that the data is loaded for so many steps. */
function showLoading(steps: number): void {
  progress.max = steps;
  show("status", "loading MNIST …");
}

/** `made` are steps that were made before the clock started. */
function showStep(index: number, steps: number, at: { loss: number; lr: number; started: number; made: number }): void {
  progress.value = index;
  show("step", `${index} / ${steps}`);
  show("loss", fixed(at.loss, 4));
  show("lr", short(at.lr));
  show("rate", ((1000 * (index - at.made)) / (performance.now() - at.started)).toFixed(2));
}

/** With so many decimals, which would be many digits where a run diverges. */
function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return "not finite";
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

/** Offers to go on with the run that is kept, if there is one; or says why none can be. */
async function offerKept(): Promise<void> {
  const box = element("kept");
  try {
    const kept = await keptRun();
    box.hidden = kept === null;
    if (kept) {
      const { options, step, steps } = kept;
      show("kept-run", `The last run did not end: ${options.model}, ${options.rule}, ${step} of ${steps} steps.`);
    }
  } catch (error) {
    box.hidden = false;
    show("kept-run", `This browser keeps no runs for another visit: ${messageOf(error)}`);
    continueButton.hidden = true;
    forgetButton.hidden = true;
  }
}

/** Fills the form with what a run was asked for. */
function showOptions(options: JobOptions): void {
  for (const [name, value] of Object.entries(options)) field(name).value = String(value);
  form.dispatchEvent(new Event("change"));
}

/** One thing at a time, which the stop button ends; what goes wrong is shown, and what fallline did not refuse is thrown on. */
async function busy(work: (engine: Engine, signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  stopButton.onclick = () => stop.abort();
  stopButton.disabled = false;
  for (const button of starters) button.disabled = true;
  reset();
  let engine: Engine | undefined;
  try {
    engine = showEngine(await currentEngine());
    await work(engine, stop.signal);
  } catch (error) {
    const refused = error instanceof OptionError || error instanceof DataError;
    const isLost = !refused && (await engine?.lost?.());
    show("status", isLost ? "the GPU's device was lost; what is begun next gets another" : messageOf(error));
    if (!isLost && !(error instanceof FalllineError)) throw error;
  } finally {
    await offerKept();
    for (const button of starters) button.disabled = false;
    stopButton.disabled = true;
  }
}

const trainFrom = (kept: KeptRun | null) =>
  busy((engine, signal) => asOnlyKeeper((keeps) => run(engine, signal, kept, keeps)));

fillForm();
form.onsubmit = (event) => {
  event.preventDefault();
  return trainFrom(null);
};
findButton.onclick = () => {
  if (form.reportValidity()) busy(find);
};
continueButton.onclick = async () => {
  const kept = await keptRun();
  if (!kept) return offerKept();
  showOptions(kept.options);
  return trainFrom(kept);
};
forgetButton.onclick = async () => {
  await forgetRun();
  await offerKept();
};
try {
  showEngine(await currentEngine());
} catch (error) {
  show("adapter", messageOf(error));
  throw error;
}
await offerKept();
for (const button of starters) button.disabled = false;
