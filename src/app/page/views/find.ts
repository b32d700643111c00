// Finding a rate: the range test as it runs, the suggestions from its curve, and short runs at the rates that look best.

import { short } from "../../../base/short.ts";
import { rangeChart } from "../../../lab/chart.ts";
import { jobConfig, jobDefaults, usualRate } from "../../../lab/defaults.ts";
import { whole } from "../../../lab/experiments/experiment.ts";
import { type RangeProgress, rangeDefaults, type TrialProgress } from "../../../lab/lr_finder.ts";
import { endPhrase, runTitle } from "../../../lab/phrases.ts";
import type { Entrant } from "../../../lab/race.ts";
import type { RangePoint, Suggestions } from "../../../lab/suggest.ts";
import { spaced } from "../../../lab/sweep.ts";
import { readRule } from "../../../optimizer/read_config.ts";
import type { Engine } from "../../../train/engine.ts";
import { ChartBox } from "../chart_box.ts";
import { h } from "../elements.ts";
import { field, type State } from "../fields.ts";
import { loadMnist } from "../mnist.ts";
import { defineView, type Page } from "../view.ts";
import { rangeTask, sweepTask } from "./find_tasks.ts";
import { fixed, jobFields, jobOf, Numbers } from "./job.ts";
import { Multiples } from "./multiples.ts";
import { perform, Work } from "./work.ts";

const { model, rule, batch, seed } = jobFields;
const fields = {
  model,
  rule,
  batch,
  seed,
  find: field("rates to try", whole("how many rates the ramp tries", rangeDefaults.steps, { min: 2, max: 10_000 })),
  sweep: field("steps of a sweep", whole("how many steps the runs of a sweep take", 100, { min: 20, max: 10_000 })),
};
/** How many rates a sweep tries. */
const sweepRates = 16;
type FindState = State<typeof fields>;

export const view = defineView({
  name: "find",
  title: "Find a rate",
  about:
    `A range test: the rate climbs from ${short(rangeDefaults.start)} to ${short(rangeDefaults.end)}, one step at each, and the loss ` +
    "shows where it begins to fall and where it blows up. Short runs at the rates that look best follow. Only the curve " +
    "and these rates are kept; train with one of them. A sweep trains at 16 rates side by side, in the same dispatches, and " +
    "stops the worse half again and again.",
  formula: "lr_t = lr_0 · {( {lr_T / lr_0} )}^{t/T}",
  question: "How do the suggestions for sgd differ from those for adamw, and by what factor?",
  fields,
  open: (root, page) => openFind(root, page as Page<FindState>),
});

async function openFind(root: HTMLElement, page: Page<FindState>) {
  const numbers = new Numbers("step", "loss", "learning rate");
  const progress = h("progress", { value: 0, max: 1, "aria-label": "progress" });
  const chart = new ChartBox("Loss by learning rate, with the suggestions", page.closed);
  const findButton = h("button", { type: "button", class: "primary", id: "find-rate", disabled: true }, "find a rate");
  const sweepButton = h("button", { type: "button", id: "sweep", disabled: true }, `sweep ${sweepRates} rates`);
  const swept = h("section", { id: "swept" });
  const figure = h("div", { class: "card", hidden: true }, chart.element);
  const list = h("ul", { class: "suggestions", id: "suggestions" });
  const work = new Work(page, [findButton, sweepButton]);
  root.append(
    h("div", { class: "row" }, findButton, sweepButton, work.stopButton),
    numbers.element,
    progress,
    figure,
    list,
    swept,
  );
  findButton.onclick = () =>
    work.doAnew((engine, signal) => {
      page.check();
      numbers.clear();
      figure.hidden = false;
      chart.clear();
      return find(engine, signal);
    });
  sweepButton.onclick = () =>
    work.doAnew((engine, signal) => {
      page.check();
      numbers.clear();
      return sweepRatesOf(engine, signal);
    });
  await page.engine();
  for (const button of [findButton, sweepButton]) button.disabled = false;

  /** The fields on which a curve depends; below, those of the suggestions shown. */
  const curveOf = ({ model, rule, batch, seed }: FindState) => [model, rule, batch, seed].join();
  let foundFor = "";

  async function find(engine: Engine, signal: AbortSignal): Promise<void> {
    const state = page.state;
    const job = jobOf({ ...state, lr: 0.001, steps: jobDefaults.steps });
    const steps = state.find;
    progress.max = steps;
    page.say("loading MNIST …");
    list.replaceChildren();
    foundFor = curveOf(state);
    const { train: data } = await loadMnist();
    const title = `range test of ${runTitle(jobConfig(job))}`;
    const points: RangePoint[] = [];
    page.say("compiling kernels …");
    const listeners = {
      turn: () => page.visible(),
      point({ index, ...point }: RangeProgress) {
        points.push(point);
        page.say("trying rates …");
        progress.value = index;
        numbers.show({ step: `${index} / ${steps}`, loss: fixed(point.loss, 4), "learning rate": short(point.lr) });
        chart.draw(() => rangeChart({ title, points }), false);
      },
      trial({ trial, lr, index, steps, loss }: TrialProgress) {
        if (index === 1) progress.max = steps;
        progress.value = index;
        page.say(`short run ${trial}, at ${short(lr)} …`);
        numbers.show({ loss: fixed(loss, 4), "learning rate": short(lr) });
      },
    };
    const found = await perform(rangeTask, { job, data, steps }, listeners, engine, signal);
    chart.draw(() => rangeChart({ title, ...found }));
    // The fields may have changed meanwhile.
    if (foundFor === curveOf(page.state)) offer(found);
    const unsaid = found.suggested.lr === null && !found.notes.includes(found.suggested.reason);
    page.say([endPhrase(found), ...found.notes, ...(unsaid ? [found.suggested.reason] : [])].join("; "));
  }

  /** Trains at many rates around the usual one, side by side. */
  async function sweepRatesOf(engine: Engine, signal: AbortSignal): Promise<void> {
    const { model, rule, batch, seed, sweep: steps } = page.state;
    const usual = usualRate(readRule("rule", rule));
    const lrs = spaced({ min: usual / 1000, max: usual * 100 }, sweepRates);
    const job = jobOf({ model, rule, batch, seed, lr: usual, steps });
    const multiples = new Multiples(steps, (index) => take(Number(short(lrs[index]!))));
    swept.replaceChildren(h("h2", {}, `${sweepRates} rates, ${runTitle(jobConfig(job))}`), multiples.element);
    progress.max = steps;
    page.say("loading MNIST …");
    const { train: data } = await loadMnist();
    page.say("compiling kernels …");
    let latest: readonly Entrant[] = [];
    const listeners = {
      turn: () => page.visible(),
      step(entrants: readonly Entrant[], step: number) {
        latest = entrants;
        progress.value = step;
        const running = entrants.filter(({ stopped }) => !stopped).length;
        numbers.show({ step: `${step} / ${steps}` });
        page.say(`${running} of ${entrants.length} rates running`);
        multiples.draw(entrants, null);
      },
    };
    const { best, interrupted } = await perform(sweepTask, { job, data, lrs }, listeners, engine, signal);
    multiples.draw(latest, best);
    const found = best === null ? "every rate diverged" : `best is ${short(lrs[best]!)}; click one to train with it`;
    page.say(`${interrupted ? "stopped; " : ""}${found}`);
  }

  const take = (lr: number) => {
    const { model, rule, batch, seed } = page.state;
    page.go("train", { model, rule, batch, seed, lr });
  };

  /** Lists the suggestions of a curve; a click takes a rate to the training view. */
  function offer({ suggestions, suggested }: Suggestions): void {
    const items = Object.entries(suggestions).map(([name, { lr, reason }]) => {
      if (lr === null) return h("li", {}, `${name}: ${reason}`);
      const isSuggested = name === suggested.name;
      const button = h(
        "button",
        { type: "button", class: isSuggested ? "suggested" : "", onclick: () => take(Number(short(lr))) },
        `${name} ${short(lr)}`,
      );
      return h("li", {}, button, ` ${reason}`);
    });
    list.replaceChildren(...items);
  }

  return {
    update(state: FindState) {
      if (foundFor !== curveOf(state)) list.replaceChildren();
    },
    recolor: () => chart.recolor(),
  };
}
