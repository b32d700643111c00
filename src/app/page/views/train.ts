// Training: a network on the digits of MNIST, its loss as it falls. The run is kept in the browser as it goes on, so that one
// whose page was closed or whose device was lost continues.

import { short } from "../../../base/short.ts";
import { lossChart } from "../../../lab/chart.ts";
import { type JobOptions, jobConfig } from "../../../lab/defaults.ts";
import { divergedPhrase, runTitle, testedPhrase } from "../../../lab/phrases.ts";
import { type Engine, engineLine } from "../../../train/engine.ts";
import { decodeRunCheckpoint } from "../../../train/run_checkpoint.ts";
import { readRunConfig } from "../../../train/run_config.ts";
import { train } from "../../../train/train.ts";
import { createWatch, type WatchedStep } from "../../../train/watch.ts";
import { ChartBox } from "../chart_box.ts";
import { h } from "../elements.ts";
import { newEngine } from "../engine.ts";
import type { State } from "../fields.ts";
import { asOnlyKeeper, forgetRun, type KeptRun, keepRun, keptRun } from "../kept_run.ts";
import { loadMnist } from "../mnist.ts";
import { defineView, type Page } from "../view.ts";
import { fixed, followRule, jobFields, jobOf, Numbers } from "./job.ts";
import { messageOf, Work } from "./work.ts";

const fields = jobFields;
type TrainState = State<typeof fields>;

export const view = defineView({
  name: "train",
  title: "Train a network",
  about:
    "A network learns the 60,000 digits of MNIST in this page: batched gradients, clipping and the update are WGSL kernels, and " +
    "the loss comes back without the GPU ever waiting for it. A run is kept in this browser as it goes on.",
  formula: "θ_{t + 1} = θ_t − lr · m_t / {√ v_t + ε}",
  question: "How far can the rate be raised before the loss no longer falls?",
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
  const chart = new ChartBox("The loss by step", page.closed);
  const trainButton = h("button", { type: "button", class: "primary", id: "train", disabled: true }, "train");
  const continueButton = h("button", { type: "button", id: "continue" }, "continue the last run");
  const forgetButton = h("button", { type: "button", id: "forget" }, "forget it");
  const keptText = h("span", { id: "kept-run", role: "status" });
  const keptBox = h("p", { class: "row", id: "kept", hidden: true }, keptText, continueButton, forgetButton);
  const work = new Work(page, [trainButton, continueButton, forgetButton]);
  root.append(
    h("div", { class: "row" }, trainButton, work.stopButton),
    keptBox,
    numbers.element,
    progress,
    h("div", { class: "card" }, chart.element),
  );

  const trainFrom = (kept: KeptRun | null) =>
    work
      .do((engine, signal) => {
        numbers.clear();
        chart.clear();
        keptBox.hidden = true;
        return asOnlyKeeper((keeps) => run(engine, signal, kept, keeps));
      })
      .finally(offerKept);
  trainButton.onclick = () => trainFrom(null);
  continueButton.onclick = async () => {
    const kept = await keptRun();
    if (!kept) return offerKept();
    page.set(kept.options);
    return trainFrom(kept);
  };
  forgetButton.onclick = async () => {
    await forgetRun();
    await offerKept();
  };
  await offerKept();
  await page.engine();
  trainButton.disabled = false;

  /** Trains what the fields say, or goes on with a run that was kept. */
  async function run(engine: Engine, signal: AbortSignal, kept: KeptRun | null, keeps: boolean): Promise<void> {
    const before = kept && decodeRunCheckpoint(kept.bytes);
    const options: JobOptions = kept ? kept.options : jobOf(page.state);
    const config = before ? before.config : jobConfig(options);
    const { steps } = config;
    progress.max = steps;
    page.say("loading MNIST …");
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
        page.warn(words);
      }
    };
    for (const [i, loss] of (before?.losses ?? []).entries()) record({ index: i + 1, loss });
    const made = losses.length;
    let saved = made;
    let unkept = keeps ? "" : "another tab keeps its run, so this one is not kept";
    page.say("compiling kernels …");
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
        page.say(["training …", unkept].filter(Boolean).join("; "));
      },
      onStep(step) {
        record(step);
        const { index, loss, lr, gradientNorm } = step;
        progress.value = index;
        numbers.show({
          step: `${index} / ${steps}`,
          loss: fixed(loss, 4),
          "learning rate": short(lr),
          "gradient norm": fixed(gradientNorm, 3),
          "steps/s": ((1000 * (index - made)) / (performance.now() - started)).toFixed(2),
        });
        chart.draw(() => lossChart({ title, losses, divergedAt }), index === steps);
      },
      onTest(rows) {
        // Not more often than can be read.
        if (rows < test.count && performance.now() - reportedAt < 250) return;
        reportedAt = performance.now();
        page.say(`testing: ${rows.toLocaleString("en")} of ${test.count.toLocaleString("en")} images …`);
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
    chart.draw(() => lossChart({ title, losses, divergedAt }));
    if (result.testAccuracy !== null) numbers.show({ "test accuracy": `${(100 * result.testAccuracy).toFixed(2)} %` });
    if (result.testLoss !== null) numbers.show({ "test loss": fixed(result.testLoss, 4) });
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
    page.say(ends.join("; "));
  }

  /** Another engine for a run whose device was lost after some steps, of which some are saved. */
  async function recover(steps: number, saved: number): Promise<Engine> {
    const lost = `the GPU's device was lost after ${steps} steps`;
    page.warn(`${lost}; looking for another …`);
    const { engine } = await newEngine();
    await page.engine();
    page.warn(`${lost}; the run went on from step ${saved} on ${engineLine(engine)}`);
    page.say("training …");
    return engine;
  }

  /** Offers to go on with the run that is kept, if there is one; or says why none can be. */
  async function offerKept(): Promise<void> {
    try {
      const kept = await keptRun();
      keptBox.hidden = kept === null;
      if (kept) {
        const { options, step, steps } = kept;
        keptText.textContent = `The last run did not end: ${options.model}, ${options.rule}, ${step} of ${steps} steps.`;
      }
    } catch (error) {
      keptBox.hidden = false;
      keptText.textContent = `This browser keeps no runs for another visit: ${messageOf(error)}`;
      continueButton.hidden = true;
      forgetButton.hidden = true;
    }
  }

  return { update: followRule(page), recolor: () => chart.recolor() };
}
