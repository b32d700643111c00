// A run as the page shows it: numbers, curves and warnings as it goes, a checkpoint in the browser after each that it makes, and a
// sentence on its end.
import { short } from "../../../base/short.ts";
import { divergedPhrase, programTitle, testedPhrase } from "../../../lab/phrases.ts";
import type { LayerStats, TensorValues } from "../../../optimizer/optimizer.ts";
import type { CurvaturePoint } from "../../../train/curvature.ts";
import type { Halves } from "../../../train/data.ts";
import { type Engine, engineLine } from "../../../train/engine.ts";
import type { WatchEvent } from "../../../train/findings.ts";
import type { MetricPoint } from "../../../train/metric.ts";
import { decodeRunCheckpoint, type RunCheckpoint, type RunState } from "../../../train/run_checkpoint.ts";
import { type CompleteRunConfig, readRunConfig, trainableOf } from "../../../train/run_config.ts";
import type { LayersPoint } from "../../../train/train.ts";
import { createWatch, type Watch } from "../../../train/watch.ts";
import { runDataset } from "../../run_dataset.ts";
import { h } from "../elements.ts";
import { newEngine } from "../engine.ts";
import type { InputFirst } from "../input_first.ts";
import { forgetRun, keepRun } from "../kept_run.ts";
import { loadMnist } from "../mnist.ts";
import type { Page } from "../view.ts";
import { fixed, type Numbers } from "./job.ts";
import type { ChartName, RunCharts } from "./train_charts.ts";
import type { TrainState } from "./train_fields.ts";
import { rowsOf, ruleName, runConfigOf, type TableFile } from "./train_run.ts";
import type { TableCard } from "./train_table.ts";
import { type Step, type TrainEnd, type TrainListeners, type Turn, trainTask } from "./train_task.ts";
import type { TrainedUse } from "./train_use.ts";
import { messageOf, perform } from "./work.ts";

/** How many findings of the watch are shown at once. */
const mostEvents = 30;
/** Milliseconds between two counts of tested rows: more often than can be read would be waste. */
const leastPause = 250;

/** The button that holds a run before its next step. */
export class Pause {
  readonly button = h(
    "button",
    { type: "button", id: "pause", disabled: true, onclick: () => this.hold(!this.isHeld) },
    "pause",
  );
  isHeld = false;
  #release = () => {};

  hold(held: boolean): void {
    this.isHeld = held;
    this.button.textContent = held ? "resume" : "pause";
    this.button.setAttribute("aria-pressed", String(held));
    if (!held) this.#release();
  }

  /** Resolves once the run may go on. */
  async resumed(signal: AbortSignal): Promise<void> {
    if (!this.isHeld || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#release = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

/** The parts of the view that show a run. */
export interface Display {
  readonly page: Page<TrainState>;
  readonly numbers: Numbers;
  readonly progress: HTMLProgressElement;
  readonly charts: RunCharts;
  /** The list of warnings. */
  readonly events: HTMLElement;
  readonly use: TrainedUse;
  readonly pause: Pause;
  readonly inputFirst: InputFirst;
  readonly table: TableCard;
  /** Takes each checkpoint. */
  keep(checkpoint: RunCheckpoint): void;
}

/** What a run starts from. */
export interface Start {
  /** The checkpoint from which it continues; none for a new run. */
  readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
  /** Whether it is kept in the browser. */
  readonly keeps: boolean;
}

/** Trains with the settings of the fields, or continues a run that was kept or loaded. */
export async function showRun(display: Display, engine: Engine, signal: AbortSignal, start: Start): Promise<void> {
  const { page, progress, table } = display;
  const state = { ...page.state };
  const before = start.bytes && decodeRunCheckpoint(start.bytes);
  const config = before ? readRunConfig(before.config) : readRunConfig(runConfigOf(state, table.table));
  progress.max = config.steps;
  progress.value = 0;
  page.say(config.data?.type === "mnist" ? "loading MNIST …" : "loading the data …");
  // Another table may be dropped while it runs.
  const { file } = table;
  const halves = await rowsOf(config, state.data, file, loadMnist);
  if (signal.aborted) return page.say("stopped before the first step");
  const shown = new ShownRun(display, { state, config, halves, file, signal, ...start });
  if (before) shown.replay(before);
  page.say("compiling kernels …");
  await shown.end(await shown.train(engine));
}

interface Run extends Start {
  readonly state: TrainState;
  readonly config: CompleteRunConfig;
  readonly halves: Halves | undefined;
  /** The table that the page had when it began. */
  readonly file: TableFile | null;
  readonly signal: AbortSignal;
}

class ShownRun implements TrainListeners {
  readonly #display: Display;
  readonly #run: Run;
  readonly #losses: number[] = [];
  readonly #layers: readonly string[];
  /** A run config may leave out watching; a diverging run is reported all the same. */
  readonly #watch: Watch | null;
  /** The checkpoint to continue from, and its step. */
  #kept: Uint8Array<ArrayBuffer> | undefined;
  #saved = 0;
  /** Why the run is not kept in the browser; empty if it is. */
  #unkept: string;
  /** Steps that were made before. */
  #made = 0;
  /** Steps repeated on another engine, which have already been shown. */
  #repeated = 0;
  #startedAt = 0;
  #reportedAt = 0;
  #divergedAt: number | null = null;

  constructor(display: Display, run: Run) {
    this.#display = display;
    this.#run = run;
    this.#kept = run.bytes;
    this.#unkept = run.keeps ? "" : "another tab is saving its run, so this one is not saved";
    this.#watch = run.config.watch || run.config.optimizer.maximize ? null : createWatch();
    this.#layers = tensorsOf(run.config);
    display.charts.show(chartsOf(run.config));
    const metric = run.config.metric?.type.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    display.charts.begin(this.#layers, metric);
  }

  /** Shows what was made before. */
  replay({ losses, metrics, events }: RunState): void {
    const { charts, progress, numbers } = this.#display;
    for (const [i, loss] of losses.entries()) {
      this.#losses.push(loss);
      charts.step({ index: i + 1, loss });
      this.#watch?.observe({ index: i + 1, loss });
    }
    for (const { step, value } of metrics) charts.add("test", step, [value]);
    for (const event of events) this.#find(event);
    this.#made = losses.length;
    this.#saved = losses.length;
    progress.value = losses.length;
    if (losses.length > 0) numbers.show({ step: `${losses.length} / ${this.#run.config.steps}` });
  }

  async train(engine: Engine): Promise<TrainEnd> {
    const { config, halves, signal } = this.#run;
    const given = { config: JSON.stringify(config), halves, bytes: this.#kept };
    try {
      return await perform(trainTask, given, this, engine, signal);
    } catch (error) {
      // Without a GPU it continues in the worker.
      if (!(error instanceof LastResort)) throw error;
      this.#repeated = this.#losses.length;
      return this.train(error.engine);
    }
  }

  /** Shows how the run ended. */
  async end({ params, role, testLoss, testAccuracy, skipped, reason, interrupted, notes }: TrainEnd): Promise<void> {
    const { page, charts } = this.#display;
    const { length: steps } = this.#losses;
    charts.draw(true);
    if (testAccuracy !== null) this.#showTest("testAccuracy", testAccuracy);
    if (testLoss !== null) this.#showTest("testLoss", testLoss);
    const isWhole = Object.values(params).every((values) => values.every(Number.isFinite));
    if (steps > 0 && isWhole) this.#take(params);
    else if (steps > 0) this.#display.use.drop();
    // A finished run needs no continuation.
    if (!this.#unkept && !interrupted) await forgetRun();
    const tested = testedPhrase(role);
    const ends = [
      interrupted ? `stopped after ${steps} steps` : "done",
      ...(this.#divergedAt === null ? [] : [`diverged at step ${this.#divergedAt}`]),
      ...(reason === "stopped-early"
        ? [`ended after ${steps} steps, since ${this.#run.config.metric!.type} no longer improved`]
        : []),
      ...(tested === null || interrupted ? [] : [tested]),
      ...(skipped > 0 ? [`${skipped} steps were skipped because a gradient was not finite`] : []),
      ...(this.#unkept ? [this.#unkept] : []),
      ...notes,
    ];
    page.say(ends.join("; "));
  }

  started(): void {
    this.#startedAt ||= performance.now();
    this.#display.page.say(["training …", this.#unkept].filter(Boolean).join("; "));
  }

  async turn(): Promise<Turn> {
    await this.#display.page.visible();
    await this.#display.inputFirst.painted();
    return this.#turn;
  }

  async held(index: number, params: TensorValues): Promise<Turn> {
    const { page, charts, pause } = this.#display;
    charts.draw(true);
    page.say(`paused before step ${index}`);
    this.#take(params);
    await pause.resumed(this.#run.signal);
    page.say("training …");
    return this.#turn;
  }

  refused(message: string): void {
    this.#display.page.warn(message);
  }

  step(step: Step): void {
    const { index, loss, lr, gradientNorm } = step;
    if (index <= this.#repeated) return;
    this.#losses.push(loss);
    for (const event of this.#watch?.observe(step) ?? []) this.#find(event);
    const { numbers, progress, charts } = this.#display;
    progress.value = index;
    numbers.show({
      step: `${index} / ${this.#run.config.steps}`,
      loss: fixed(loss, 4),
      "learning rate": short(lr),
      "gradient norm": Number.isNaN(gradientNorm) ? "–" : fixed(gradientNorm, 3),
      "steps/s": ((1000 * (index - this.#made)) / (performance.now() - this.#startedAt)).toFixed(2),
    });
    charts.step(step);
    charts.draw();
  }

  layers({ step, layers }: LayersPoint): void {
    if (step > this.#repeated) this.#display.charts.add("ratios", step, shares(this.#layers, layers));
  }

  event(event: WatchEvent): void {
    if (event.step > this.#repeated) this.#find(event);
  }

  curvature({ step, sharpness, edge }: CurvaturePoint): void {
    if (step > this.#repeated) this.#display.charts.add("sharpness", step, [sharpness, edge ?? Number.NaN]);
  }

  metric({ step, value }: MetricPoint): void {
    if (step <= this.#repeated) return;
    this.#display.charts.add("test", step, [value]);
    this.#showTest(this.#run.config.metric!.type, value);
    this.#display.page.say("training …");
  }

  tested(rows: number): void {
    const { count } = this.#run.halves!.test;
    if (rows < count && performance.now() - this.#reportedAt < leastPause) return;
    this.#reportedAt = performance.now();
    this.#display.page.say(`testing: ${rows.toLocaleString("en")} of ${count.toLocaleString("en")} rows …`);
  }

  async checkpoint(checkpoint: RunCheckpoint): Promise<void> {
    const { step, bytes } = checkpoint;
    const { state, config, file } = this.#run;
    this.#saved = step;
    this.#kept = bytes;
    this.#display.keep(checkpoint);
    if (this.#unkept) return;
    try {
      const title = `${programTitle(config)}, ${ruleName(config)}`;
      const table = config.data?.type === "file" ? file : null;
      await keepRun({ state, title, table, step, steps: config.steps, bytes });
    } catch (error) {
      // A run that cannot be kept still trains.
      this.#unkept = `the run could not be saved: ${messageOf(error)}`;
    }
  }

  async recover(): Promise<Engine> {
    const { page } = this.#display;
    const lost = `the GPU device was lost after ${this.#losses.length} steps`;
    page.warn(`${lost}; looking for another …`);
    const { engine } = await newEngine();
    await page.engine();
    page.warn(`${lost}; the run continued from step ${this.#saved} on ${engineLine(engine)}`);
    page.say("training …");
    if (engine.backend === "cpu") throw new LastResort(engine);
    return engine;
  }

  /** The settings for the next step. */
  get #turn(): Turn {
    return { factor: this.#display.page.state.factor, isHeld: this.#display.pause.isHeld };
  }

  /** Hands over the network to be used. */
  #take(params: TensorValues): void {
    const { config, halves } = this.#run;
    if (config.model && halves) {
      this.#display.use.take({ model: config.model, params, dataset: runDataset(halves.train) });
    }
  }

  #showTest(type: string, value: number): void {
    const { numbers } = this.#display;
    if (type === "testAccuracy") numbers.show({ "test accuracy": `${(100 * value).toFixed(2)} %` });
    else if (type === "testLoss") numbers.show({ "test loss": fixed(value, 4) });
  }

  /** Shows a finding of the watch. */
  #find(event: WatchEvent): void {
    const { page, events } = this.#display;
    const { step, message, remedy } = event;
    const words = `${message}; ${remedy}`.replaceAll(/-?\b(NaN|Infinity)\b/g, "not finite");
    events.prepend(h("li", {}, h("b", {}, `step ${step}: `), words));
    while (events.childElementCount > mostEvents) events.lastElementChild!.remove();
    const diverged = divergedPhrase(event);
    if (diverged === null || this.#divergedAt !== null) return;
    this.#divergedAt = step;
    page.warn(diverged);
  }
}

/** The device is lost, and there is no other: only the CPU reference is left. */
class LastResort extends Error {
  readonly engine: Engine;

  constructor(engine: Engine) {
    super("there is no GPU any more");
    this.engine = engine;
  }
}

/** The weights of a run; biases are left out. */
function tensorsOf(config: CompleteRunConfig): readonly string[] {
  const tensors = trainableOf(config).program.tensors(config.init ?? undefined);
  return tensors.filter(({ shape }) => shape.length > 1).map(({ name }) => name);
}

/** How much an update changed each of these tensors, as a share of its norm. */
function shares(names: readonly string[], layers: readonly LayerStats[]): readonly number[] {
  return names.map((name) => {
    const found = layers.find((each) => each.name === name);
    return found ? found.updateNorm / found.weightNorm : Number.NaN;
  });
}

/** The charts for which a run has data. */
function chartsOf({ metric, watch, curvature }: CompleteRunConfig): readonly ChartName[] {
  return [
    "loss",
    "rate",
    "norm",
    ...(metric ? (["test"] as const) : []),
    ...(watch ? (["ratios"] as const) : []),
    ...(curvature ? (["sharpness"] as const) : []),
  ];
}
