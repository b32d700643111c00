// Training: a network on MNIST, on smaller digits, or on the visitor's table, with charts of the run; meanwhile the rate can be
// changed and the run paused. The run is kept in the browser, so that it continues after its page is closed or its device lost; and
// the network just trained reads drawings and predicts other tables.
import { DataError, FalllineError, OptionError } from "../../../base/errors.ts";
import { short } from "../../../base/short.ts";
import { decodeText } from "../../../base/utf8.ts";
import { choice, type LabOption, number, whole } from "../../../lab/experiments/experiment.ts";
import { divergedPhrase, programTitle, testedPhrase } from "../../../lab/phrases.ts";
import type { LayerStats } from "../../../optimizer/optimizer.ts";
import { type Engine, engineLine } from "../../../train/engine.ts";
import { decodeRunCheckpoint, mustBeSameRun, type RunCheckpoint } from "../../../train/run_checkpoint.ts";
import { type CompleteRunConfig, readRunConfig, trainableOf } from "../../../train/run_config.ts";
import { createWatch, type WatchEvent } from "../../../train/watch.ts";
import { runDataset } from "../../run_dataset.ts";
import { h } from "../elements.ts";
import { newEngine } from "../engine.ts";
import { field, type State, select } from "../fields.ts";
import { download, fileButton, takeDrops } from "../files.ts";
import { InputFirst } from "../input_first.ts";
import { asOnlyKeeper, forgetRun, keepRun, keptRun } from "../kept_run.ts";
import { loadMnist } from "../mnist.ts";
import { defineView, type Page } from "../view.ts";
import { fixed, followRule, jobFields, Numbers } from "./job.ts";
import { type ChartName, RunCharts } from "./train_charts.ts";
import {
  kinds,
  modelFor,
  parseRunConfig,
  parseSchedule,
  readTable,
  rowsOf,
  runConfigOf,
  sources,
  type Table,
  type TableFile,
} from "./train_run.ts";
import { type TrainEnd, type TrainListeners, type Turn, trainTask } from "./train_task.ts";
import { type Trained, TrainedUse } from "./train_use.ts";
import { messageOf, perform, Work } from "./work.ts";

/** An option for text that is empty or passes `check`. */
function text(meaning: string, allowed: string, check: (given: string) => void = () => {}): LabOption<string> {
  return {
    meaning,
    kind: "word",
    allowed,
    default: "",
    read(name, value) {
      if (typeof value !== "string") throw new OptionError(`${name} is not text; it must be ${allowed}`);
      if (value !== "") check(value);
      return value;
    },
  };
}

const fields = {
  data: select("data", choice("what the network learns", sources, "mnist")),
  ...jobFields,
  schedule: field(
    "schedule (JSON)",
    text("a schedule in place of the learning rate and its warm-up and decay", "a schedule as JSON", parseSchedule),
    { type: "box", wide: true },
  ),
  every: field("test every", whole("steps between tests; 0 for one at the end", 100, { min: 0, max: 1e6 })),
  sharpness: field(
    "sharpness every",
    whole("steps between measurements of the largest curvature; 0 for never", 0, { min: 0, max: 1e6 }),
  ),
  factor: field("rate ×", number("multiplies the learning rate, even during a run", 1, { above: 0, max: 1e6 }), {
    type: "slider",
    from: 0.01,
    to: 100,
    log: true,
  }),
  target: field("column to predict", text("the column of a table to predict", "a column's name or number"), {
    type: "none",
  }),
  kind: field("as", choice("what the column to predict holds", kinds, "auto"), { type: "none" }),
  config: field(
    "run config",
    text("a whole run config in place of the fields", "a run config as JSON", parseRunConfig),
    { type: "none" },
  ),
};
type TrainState = State<typeof fields>;

/** How many findings of the watch are shown at once. */
const mostEvents = 30;
/** The size above which the page refuses a table. */
const mostBytes = 64 * 2 ** 20;

export const view = defineView({
  name: "train",
  title: "Train a network",
  about:
    "A network learns in this page: the 60,000 digits of MNIST, 1,797 smaller ones that need no download, or your own table. " +
    "Gradients, clipping and the update are WGSL kernels, and the GPU never waits for the loss to be read back. " +
    "Change the rate while it runs and watch the loss; then draw a digit and let the network read it. Nothing leaves this " +
    "page, and the run is saved in this browser as it goes.",
  formula: "θ_{t + 1} = θ_t − lr · m_t/{√ v_t + ε}",
  question: "How far can you turn up the rate during a run before the loss stops falling?",
  fields,
  open: (root, page) => openTrain(root, page as Page<TrainState>),
});

async function openTrain(root: HTMLElement, page: Page<TrainState>) {
  const numbers = new Numbers(
    "step",
    "loss",
    "learning rate",
    "gradient norm",
    "steps/s",
    "test loss",
    "test accuracy",
  );
  const progress = h("progress", { value: 0, max: 1, "aria-label": "progress" });
  const inputFirst = new InputFirst(page.closed);
  const events = h("ol", { class: "events", id: "events" });
  const charts = new RunCharts(
    page.closed,
    h("section", { class: "card", id: "events-card" }, h("h2", {}, "Warnings"), events),
  );
  const use = new TrainedUse(() => page.engine(), attempt);
  const trainButton = h("button", { type: "button", class: "primary", id: "train", disabled: true }, "train");
  const pauseButton = h("button", { type: "button", id: "pause", disabled: true }, "pause");
  const continueButton = h("button", { type: "button", id: "continue" }, "continue the last run");
  const forgetButton = h("button", { type: "button", id: "forget" }, "forget it");
  const keptText = h("span", { id: "kept-run", role: "status" });
  const keptBox = h("p", { class: "row", id: "kept", hidden: true }, keptText, continueButton, forgetButton);
  const work = new Work(page, [trainButton, continueButton, forgetButton]);

  // A table, and the column to predict.
  let file: TableFile | null = null;
  let table: Table | null = null;
  const targetSelect = h("select", { name: "target", onchange: () => page.set({ target: targetSelect.value }) });
  const kindSelect = h(
    "select",
    { name: "kind", onchange: () => page.set({ kind: kindSelect.value as TrainState["kind"] }) },
    ...kinds.map((each) => new Option(each)),
  );
  const tableText = h("p", { id: "table", role: "status" }, "Drop a .csv file anywhere on the page, or choose one.");
  const columnBox = h(
    "p",
    { class: "row", hidden: true },
    h("label", {}, "column to predict", targetSelect),
    h("label", {}, "as", kindSelect),
  );

  // The whole run config, and the checkpoint.
  let latest: RunCheckpoint | null = null;
  let imported: { readonly bytes: Uint8Array<ArrayBuffer>; readonly config: CompleteRunConfig } | null = null;
  const configArea = h("textarea", { id: "config", rows: 14, spellcheck: "false", "aria-label": "run config as JSON" });
  const configWrong = h("p", { class: "wrong", id: "config-wrong", role: "alert" });
  const fieldsButton = h(
    "button",
    { type: "button", id: "use-fields", onclick: () => page.set({ config: "" }) },
    "back to the fields",
  );
  const configNote = h(
    "p",
    { class: "row", id: "config-note", hidden: true },
    "The run config below replaces the fields. ",
    fieldsButton,
  );
  const checkpointButton = h(
    "button",
    { type: "button", id: "save-checkpoint", disabled: true, onclick: saveCheckpoint },
    "save the checkpoint",
  );
  const goOnButton = h("button", { type: "button", id: "go-on", onclick: () => attempt(goOn) }, "continue from it");
  const takeButton = h("button", { type: "button", id: "take-config", onclick: takeConfig }, "use its run config");
  const importedText = h("span", { id: "imported-text", role: "status" });
  const importedBox = h("p", { class: "row", id: "imported", hidden: true }, importedText, goOnButton, takeButton);
  const configBox = h(
    "details",
    { class: "card", id: "config-box" },
    h("summary", {}, "Run config and checkpoint"),
    configArea,
    configWrong,
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", id: "save-config", onclick: () => attempt(saveConfig) }, "save the run config"),
      checkpointButton,
      fileButton("load-file", "load either", ".json,.safetensors", (each) => attempt(() => takeFile(each))),
    ),
  );

  root.append(
    h(
      "section",
      { class: "card", id: "table-card", hidden: true },
      h("h2", {}, "The table"),
      tableText,
      h(
        "div",
        { class: "row" },
        fileButton("table-file", "a .csv or .tsv file", ".csv,.tsv,.txt", (each) => attempt(() => takeFile(each))),
        columnBox,
      ),
    ),
    configNote,
    h("div", { class: "row" }, trainButton, pauseButton, work.stopButton),
    keptBox,
    importedBox,
    numbers.element,
    progress,
    charts.element,
    use.element,
    configBox,
  );
  const tableCard = root.querySelector("#table-card") as HTMLElement;
  takeDrops(page.closed, (each) => attempt(() => takeFile(each)));
  configArea.addEventListener("input", () => {
    try {
      if (configArea.value.trim() !== "") parseRunConfig(configArea.value);
      configWrong.textContent = "";
      page.set({ config: configArea.value.trim() });
    } catch (error) {
      if (!(error instanceof FalllineError)) throw error;
      configWrong.textContent = error.message;
    }
  });
  configBox.addEventListener("toggle", () => showConfig(page.state));

  /** Does something and shows its error, in place of the message before unless `keeps`. */
  function attempt(doing: () => Promise<void> | void, keeps = false): void {
    if (!keeps) page.warn("");
    const done = async () => {
      try {
        await doing();
      } catch (error) {
        page.warn(messageOf(error));
        if (!(error instanceof FalllineError)) throw error;
      }
    };
    void done();
  }

  // Whether the run is held before its next step.
  let isHeld = false;
  let release = () => {};
  function hold(held: boolean): void {
    isHeld = held;
    pauseButton.textContent = held ? "resume" : "pause";
    pauseButton.setAttribute("aria-pressed", String(held));
    if (!held) release();
  }
  pauseButton.onclick = () => hold(!isHeld);

  const trainFrom = (from: Start) =>
    work
      .do((engine, signal) => {
        numbers.clear();
        events.replaceChildren();
        keptBox.hidden = true;
        importedBox.hidden = true;
        hold(false);
        pauseButton.disabled = false;
        return asOnlyKeeper((keeps) => run(engine, signal, from, keeps));
      })
      .finally(() => {
        hold(false);
        pauseButton.disabled = true;
        return offerKept();
      });
  trainButton.onclick = () => trainFrom({});
  continueButton.onclick = async () => {
    const kept = await keptRun();
    if (!kept) return offerKept();
    if (kept.table) file = kept.table;
    page.set(kept.state as Partial<TrainState>);
    openTable(page.state);
    return trainFrom({ bytes: kept.bytes });
  };
  forgetButton.onclick = async () => {
    await forgetRun();
    await offerKept();
  };
  await offerKept();
  await page.engine();
  if (page.state.data === "digits" && page.state.model === fields.model.default) fitModel();
  trainButton.disabled = false;

  /** Trains with the settings of the fields, or continues a run that was kept or loaded. */
  async function run(engine: Engine, signal: AbortSignal, { bytes }: Start, keeps: boolean): Promise<void> {
    const state = { ...page.state };
    const before = bytes && decodeRunCheckpoint(bytes);
    const config = before ? readRunConfig(before.config) : readRunConfig(runConfigOf(state, table));
    const { steps } = config;
    progress.max = steps;
    progress.value = 0;
    page.say(config.data?.type === "mnist" ? "loading MNIST …" : "loading the data …");
    const halves = await rowsOf(config, state.data, file, loadMnist);
    if (signal.aborted) return page.say("stopped before the first step");
    const title = `${programTitle(config)}, ${ruleName(config)}`;
    const losses: number[] = [];
    const layers = tensorsOf(config);
    charts.show(chartsOf(config));
    charts.begin(layers);
    let divergedAt: number | null = null;
    const found = (event: WatchEvent) => {
      showEvent(event);
      const words = divergedPhrase(event);
      if (words === null || divergedAt !== null) return;
      divergedAt = event.step;
      page.warn(words);
    };
    // A run config may leave out watching; a diverging run is reported all the same.
    const own = config.watch ? null : createWatch();
    for (const [i, loss] of (before?.losses ?? []).entries()) {
      losses.push(loss);
      charts.step({ index: i + 1, loss });
      own?.observe({ index: i + 1, loss });
    }
    for (const { step, value } of before?.metrics ?? []) charts.add("test", step, [value]);
    for (const event of before?.events ?? []) found(event);
    const made = losses.length;
    progress.value = made;
    if (made > 0) numbers.show({ step: `${made} / ${steps}` });
    let saved = made;
    let kept = bytes;
    let unkept = keeps ? "" : "another tab is saving its run, so this one is not saved";
    // Steps repeated on another engine, which have already been shown.
    let repeated = 0;
    const trained = (params: Trained["params"]) => {
      if (config.model && halves) use.take({ model: config.model, params, dataset: runDataset(halves.train) });
    };
    page.say("compiling kernels …");
    let started = 0;
    let reportedAt = 0;
    const listeners: TrainListeners = {
      started() {
        started ||= performance.now();
        page.say(["training …", unkept].filter(Boolean).join("; "));
      },
      async turn() {
        await page.visible();
        await inputFirst.painted();
        return turn();
      },
      async held(index, params) {
        const resumed = new Promise<void>((resolve) => {
          release = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
        charts.draw(true);
        page.say(`paused before step ${index}`);
        trained(params);
        if (isHeld && !signal.aborted) await resumed;
        page.say("training …");
        return turn();
      },
      refused: (message) => page.warn(message),
      step(step) {
        const { index, loss, lr, gradientNorm } = step;
        if (index <= repeated) return;
        losses.push(loss);
        for (const event of own?.observe(step) ?? []) found(event);
        progress.value = index;
        numbers.show({
          step: `${index} / ${steps}`,
          loss: fixed(loss, 4),
          "learning rate": short(lr),
          "gradient norm": Number.isNaN(gradientNorm) ? "–" : fixed(gradientNorm, 3),
          "steps/s": ((1000 * (index - made)) / (performance.now() - started)).toFixed(2),
        });
        charts.step(step);
        charts.draw();
      },
      layers({ step, layers: found }) {
        if (step > repeated) charts.add("ratios", step, shares(layers, found));
      },
      event: (event) => event.step > repeated && found(event),
      curvature({ step, sharpness, edge }) {
        if (step > repeated) charts.add("sharpness", step, [sharpness, edge ?? Number.NaN]);
      },
      metric({ step, value }) {
        if (step <= repeated) return;
        charts.add("test", step, [value]);
        showTest(config.metric!.type, value);
        page.say("training …");
      },
      tested(rows) {
        const { count } = halves!.test;
        // At most as often as can be read.
        if (rows < count && performance.now() - reportedAt < 250) return;
        reportedAt = performance.now();
        page.say(`testing: ${rows.toLocaleString("en")} of ${count.toLocaleString("en")} rows …`);
      },
      async checkpoint(checkpoint) {
        const { step, bytes } = checkpoint;
        saved = step;
        latest = checkpoint;
        kept = bytes;
        checkpointButton.disabled = false;
        if (unkept) return;
        try {
          const isTable = config.data?.type === "file";
          await keepRun({ state, title, table: isTable ? file : null, step, steps, bytes });
        } catch (error) {
          // A run that cannot be kept still trains.
          unkept = `the run could not be saved: ${messageOf(error)}`;
        }
      },
      async recover() {
        const next = await recover(losses.length, saved);
        if (next.backend === "cpu") throw new LastResort(next);
        return next;
      },
    };
    const json = JSON.stringify(config);
    const go = async (on: Engine): Promise<TrainEnd> => {
      try {
        return await perform(trainTask, { config: json, halves, bytes: kept }, listeners, on, signal);
      } catch (error) {
        // Without a GPU it continues in the worker.
        if (!(error instanceof LastResort)) throw error;
        repeated = losses.length;
        return go(error.engine);
      }
    };
    const result = await go(engine);
    charts.draw(true);
    if (result.testAccuracy !== null) showTest("testAccuracy", result.testAccuracy);
    if (result.testLoss !== null) showTest("testLoss", result.testLoss);
    const isWhole = Object.values(result.params).every((values) => values.every(Number.isFinite));
    if (losses.length > 0 && isWhole) trained(result.params);
    // A finished run needs no continuation.
    if (!unkept && !result.interrupted) await forgetRun();
    const tested = testedPhrase(result.role);
    const ends = [
      result.interrupted ? `stopped after ${losses.length} steps` : "done",
      ...(divergedAt === null ? [] : [`diverged at step ${divergedAt}`]),
      ...(result.reason === "stopped-early"
        ? [`ended after ${losses.length} steps, since ${config.metric!.type} no longer improved`]
        : []),
      ...(tested === null || result.interrupted ? [] : [tested]),
      ...(result.skipped > 0 ? [`${result.skipped} steps were skipped because a gradient was not finite`] : []),
      ...(unkept ? [unkept] : []),
    ];
    page.say(ends.join("; "));
  }

  /** The settings for the next step. */
  const turn = (): Turn => ({ factor: page.state.factor, isHeld });

  function showTest(type: string, value: number): void {
    if (type === "testAccuracy") numbers.show({ "test accuracy": `${(100 * value).toFixed(2)} %` });
    else if (type === "testLoss") numbers.show({ "test loss": fixed(value, 4) });
  }

  function showEvent({ step, message, remedy }: WatchEvent): void {
    const words = `${message}; ${remedy}`.replaceAll(/-?\b(NaN|Infinity)\b/g, "not finite");
    events.prepend(h("li", {}, h("b", {}, `step ${step}: `), words));
    while (events.childElementCount > mostEvents) events.lastElementChild!.remove();
  }

  /** Another engine for a run whose device was lost after `steps` steps, of which `saved` are in a checkpoint. */
  async function recover(steps: number, saved: number): Promise<Engine> {
    const lost = `the GPU device was lost after ${steps} steps`;
    page.warn(`${lost}; looking for another …`);
    const { engine } = await newEngine();
    await page.engine();
    page.warn(`${lost}; the run continued from step ${saved} on ${engineLine(engine)}`);
    page.say("training …");
    return engine;
  }

  /** Offers to continue the kept run, if there is one, or shows why none can be kept. */
  async function offerKept(): Promise<void> {
    try {
      const kept = await keptRun();
      keptBox.hidden = kept === null;
      if (kept) {
        const { title, step, steps } = kept;
        keptText.textContent = `The last run is unfinished: ${title}, ${step} of ${steps} steps.`;
      }
    } catch (error) {
      keptBox.hidden = false;
      keptText.textContent = `This browser cannot save runs: ${messageOf(error)}`;
      continueButton.hidden = true;
      forgetButton.hidden = true;
    }
  }

  /** Takes a chosen or dropped file, by its kind. */
  async function takeFile(given: File): Promise<void> {
    const { name, size } = given;
    if (/\.[ct]sv$|\.txt$/i.test(name)) {
      if (size > mostBytes)
        throw new DataError(`${name} has ${size} bytes; a table on this page may have at most ${mostBytes}`);
      const next = { name, text: decodeText(name, await given.arrayBuffer()) };
      // A file that cannot be read leaves the table as it was.
      readTable(next, "", "auto");
      file = next;
      page.set({ data: "table", target: "", kind: "auto" });
      openTable(page.state);
      fitModel();
    } else if (/\.json$/i.test(name)) {
      const config = parseRunConfig(decodeText(name, await given.arrayBuffer()));
      page.set({ config: JSON.stringify(config) });
      page.say(`${name}: ${programTitle(config)}, ${ruleName(config)}, ${config.steps} steps`);
    } else if (/\.safetensors$/i.test(name)) {
      takeCheckpoint(name, new Uint8Array(await given.arrayBuffer()));
    } else if (given.type.startsWith("image/")) {
      await use.readPicture(given);
    } else {
      throw new DataError(
        `this page cannot read ${name}; it takes tables (.csv, .tsv), run configs (.json), checkpoints (.safetensors) and pictures of digits`,
      );
    }
  }

  /** Reads the current table as set by the fields, and shows its columns. */
  function openTable({ target, kind }: TrainState): void {
    table = null;
    if (!file) return;
    table = readTable(file, target, kind);
    const { data, columns } = table;
    const what = data.labels ? `${data.classes} classes` : "numbers";
    tableText.textContent = `${file.name}: ${data.count.toLocaleString("en")} rows of ${data.features} inputs; ${table.target} holds ${what}. A fifth of the rows is for testing.`;
    targetSelect.replaceChildren(...columns.map((each) => new Option(each)));
    targetSelect.value = table.target;
    kindSelect.value = kind;
    columnBox.hidden = false;
  }

  /** Adapts the widths of the network, and the batch, to the data where they do not fit. */
  function fitModel(): void {
    const { data, batch, model } = page.state;
    const rows = table && data === "table" ? Math.floor(0.8 * table.data.count) : Number.POSITIVE_INFINITY;
    const fitting = modelFor(data, table);
    const ends = (widths: string) => widths.replace(/-.*-/, "-");
    page.set({
      model: ends(model) === ends(fitting) ? model : fitting,
      batch: Math.max(1, Math.min(batch, rows)),
    });
  }

  function takeCheckpoint(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    imported = null;
    importedBox.hidden = true;
    const { config, step } = decodeRunCheckpoint(bytes);
    readRunConfig(config);
    imported = { bytes, config };
    importedText.textContent = `${name}: ${programTitle(config)}, ${ruleName(config)}, ${step} of ${config.steps} steps.`;
    importedBox.hidden = false;
    goOnButton.disabled = false;
    try {
      mustBeSameRun(config, readRunConfig(runConfigOf(page.state, table)));
    } catch (error) {
      goOnButton.disabled = true;
      throw error;
    }
  }

  async function goOn(): Promise<void> {
    if (!imported) return;
    const { bytes, config } = imported;
    mustBeSameRun(config, readRunConfig(runConfigOf(page.state, table)));
    await trainFrom({ bytes });
  }

  function takeConfig(): void {
    if (!imported) return;
    page.set({ config: JSON.stringify(imported.config) });
    page.warn("");
    goOnButton.disabled = false;
  }

  function saveConfig(): void {
    const config = readRunConfig(runConfigOf(page.state, table));
    download("run.json", `${JSON.stringify(config, null, 2)}\n`, "application/json");
  }

  function saveCheckpoint(): void {
    if (latest) download(`checkpoint-${latest.step}.safetensors`, latest.bytes, "application/octet-stream");
  }

  /** Shows the run config of the fields, or the one that replaces them. */
  function showConfig(state: TrainState): void {
    configNote.hidden = state.config === "";
    if (!configBox.open || document.activeElement === configArea) return;
    try {
      configArea.value = JSON.stringify(readRunConfig(runConfigOf(state, table)), null, 2);
      configWrong.textContent = "";
    } catch (error) {
      if (!(error instanceof FalllineError)) throw error;
      configWrong.textContent = error.message;
    }
  }

  const follow = followRule(page);
  let { data: source, model, target, kind } = page.state;
  return {
    update(state: TrainState) {
      const isNewSource = state.data !== source && state.model === model;
      const isOther = state.target !== target || state.kind !== kind;
      ({ data: source, model, target, kind } = state);
      tableCard.hidden = state.data !== "table";
      follow(state);
      if (isOther && file) {
        attempt(() => {
          openTable(page.state);
          fitModel();
        });
      } else if (isNewSource) fitModel();
      if (work.stopButton.disabled) charts.show(chartsWanted(page.state));
      showConfig(page.state);
    },
    recolor: () => charts.recolor(),
  };
}

/** The device is lost, and there is no other: only the CPU reference is left. */
class LastResort extends Error {
  readonly engine: Engine;

  constructor(engine: Engine) {
    super("there is no GPU any more");
    this.engine = engine;
  }
}

/** The checkpoint from which a run continues; none for a new run. */
interface Start {
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

const ruleName = ({ optimizer: { rule } }: CompleteRunConfig) => (typeof rule === "string" ? rule : rule.name);

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

/** The same for the run of the fields. */
function chartsWanted({ every, sharpness }: TrainState): readonly ChartName[] {
  return [
    "loss",
    "rate",
    "norm",
    "ratios",
    ...(every > 0 ? (["test"] as const) : []),
    ...(sharpness > 0 ? (["sharpness"] as const) : []),
  ];
}
