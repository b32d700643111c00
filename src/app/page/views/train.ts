// Training: a network on MNIST, on smaller digits, or on the visitor's table, with charts of the run; meanwhile the rate can be
// changed and the run paused. The run is kept in the browser, so that it continues after its page is closed or its device lost; and
// the network just trained reads drawings and predicts other tables.
import { DataError } from "../../../base/errors.ts";
import { decodeText } from "../../../base/utf8.ts";
import { programTitle } from "../../../lab/phrases.ts";
import { readRunConfig } from "../../../train/run_config.ts";
import { h } from "../elements.ts";
import { takeDrops } from "../files.ts";
import { InputFirst } from "../input_first.ts";
import { asOnlyKeeper } from "../kept_run.ts";
import { defineView, type OpenView, type Page } from "../view.ts";
import { followRule, Numbers } from "./job.ts";
import { type ChartName, RunCharts } from "./train_charts.ts";
import { ConfigBox } from "./train_config.ts";
import { fields, type TrainState } from "./train_fields.ts";
import { KeptBox } from "./train_kept.ts";
import { parseRunConfig, ruleName, runConfigOf } from "./train_run.ts";
import { type Display, Pause, showRun } from "./train_shown.ts";
import { TableCard } from "./train_table.ts";
import { TrainedUse } from "./train_use.ts";
import { attempting, Work } from "./work.ts";

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

const shownNumbers = [
  "step",
  "loss",
  "learning rate",
  "gradient norm",
  "steps/s",
  "test loss",
  "test accuracy",
] as const;

async function openTrain(root: HTMLElement, page: Page<TrainState>): Promise<OpenView<TrainState>> {
  const attempt = attempting(page);
  const numbers = new Numbers(...shownNumbers);
  const progress = h("progress", { value: 0, max: 1, "aria-label": "progress" });
  const events = h("ol", { class: "events", id: "events" });
  const charts = new RunCharts(
    page.closed,
    h("section", { class: "card", id: "events-card" }, h("h2", {}, "Warnings"), events),
  );
  const use = new TrainedUse(() => page.engine(), attempt);
  const pause = new Pause();
  const trainButton = h("button", { type: "button", class: "primary", id: "train", disabled: true }, "train");
  const keptBox = new KeptBox((kept) => {
    if (kept.table) table.file = kept.table;
    page.set(kept.state as Partial<TrainState>);
    table.open(page.state);
    return trainFrom(kept.bytes);
  });
  const work = new Work(page, [trainButton, ...keptBox.buttons]);
  const table = new TableCard(page, (file) => attempt(() => takeFile(file)));
  const config = new ConfigBox(
    page,
    {
      config: () => readRunConfig(runConfigOf(page.state, table.table)),
      takeFile: (file) => takeFile(file),
      trainFrom: (bytes) => trainFrom(bytes),
    },
    attempt,
  );
  root.append(
    table.element,
    config.note,
    h("div", { class: "row" }, trainButton, pause.button, work.stopButton),
    keptBox.element,
    config.imported,
    numbers.element,
    progress,
    charts.element,
    use.element,
    config.element,
  );
  takeDrops(page.closed, (files) =>
    attempt(async () => {
      for (const file of atMostOne(files)) await takeFile(file);
    }),
  );

  const display: Display = {
    ...{ page, numbers, progress, charts, events, use, pause, table },
    inputFirst: new InputFirst(page.closed),
    keep: (checkpoint) => config.keep(checkpoint),
  };
  const trainFrom = (bytes?: Uint8Array<ArrayBuffer>): Promise<void> =>
    work
      .do((engine, signal) => {
        if (!bytes) {
          page.check();
          config.check();
        }
        numbers.clear();
        events.replaceChildren();
        keptBox.element.hidden = true;
        config.imported.hidden = true;
        pause.hold(false);
        pause.button.disabled = false;
        return asOnlyKeeper((keeps) => showRun(display, engine, signal, { bytes, keeps }));
      })
      .finally(() => {
        pause.hold(false);
        pause.button.disabled = true;
        return keptBox.offer();
      });
  trainButton.onclick = () => trainFrom();
  await keptBox.offer();
  await page.engine();
  if (page.state.data === "digits" && page.state.model === fields.model.default) table.fitModel();
  trainButton.disabled = false;

  /** Takes a chosen or dropped file, by its kind. */
  async function takeFile(given: File): Promise<void> {
    const { name } = given;
    if (/\.[ct]sv$|\.txt$/i.test(name)) {
      await table.take(given);
    } else if (/\.json$/i.test(name)) {
      const taken = parseRunConfig(decodeText(name, await given.arrayBuffer()));
      page.set({ config: JSON.stringify(taken) });
      page.say(`${name}: ${programTitle(taken)}, ${ruleName(taken)}, ${taken.steps} steps`);
    } else if (/\.safetensors$/i.test(name)) {
      config.take(name, new Uint8Array(await given.arrayBuffer()));
    } else if (given.type.startsWith("image/")) {
      await use.readPicture(given);
    } else {
      throw new DataError(
        `this page cannot read ${name}; it takes tables (.csv, .tsv), run configs (.json), checkpoints (.safetensors) and pictures of digits`,
      );
    }
  }

  const follow = followRule(page);
  let { data: source, model, target, kind } = page.state;
  return {
    update(state) {
      const isNewSource = state.data !== source && state.model === model;
      const isOther = state.target !== target || state.kind !== kind;
      ({ data: source, model, target, kind } = state);
      table.element.hidden = state.data !== "table";
      follow(state);
      if (isOther && table.file) {
        attempt(() => {
          table.open(page.state);
          table.fitModel();
        });
      } else if (isNewSource) table.fitModel();
      if (work.stopButton.disabled) charts.show(chartsWanted(page.state));
      config.show(page.state);
    },
    recolor: () => charts.recolor(),
  };
}

/** The charts for which a run of the fields has data. */
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

/** @throws DataError for several. */
function atMostOne(files: readonly File[]): readonly File[] {
  if (files.length <= 1) return files;
  const names = files.map(({ name }) => name).join(", ");
  throw new DataError(`${files.length} files were dropped, ${names}; the page takes one at a time`);
}
