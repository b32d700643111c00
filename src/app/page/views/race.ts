// The race: one loss, several rates at once, with the place of each run on the loss, the curve of its loss, and a verdict, step by
// step.

import { short } from "../../../base/short.ts";
import { choice, number, numbers, whole } from "../../../lab/experiments/experiment.ts";
import { Curves } from "../curves.ts";
import { h, minus, svg } from "../elements.ts";
import { field, type State as StateOf, select } from "../fields.ts";
import { isStill } from "../looks.ts";
import { defineView, type Page } from "../view.ts";
import { losses, type Run, racers, run } from "./race_runs.ts";

/** The rates that race against the slider's. */
const presets = [1.5, 1.1, 0.1, 0.001] as const;

const rate = { above: 0, max: 1e6 } as const;
const fields = {
  lr: field("your rate", number("the learning rate that the slider sets", 0.4, rate), {
    type: "slider",
    from: 1e-4,
    to: 4,
    log: true,
  }),
  loss: select("loss", choice("what is minimised", Object.keys(losses), "w²")),
  rule: select("rule", choice("how a gradient becomes a step", Object.keys(racers), "sgd")),
  start: field("start", number("where every run begins", 4, { min: -1e6, max: 1e6 })),
  steps: field("steps", whole("how many steps each takes", 30, { min: 1, max: 1000 })),
  rates: field("against", numbers("the rates that run next to yours", presets, rate), { type: "box", wide: true }),
};
type State = StateOf<typeof fields>;

/** How many rates beside the visitor's have colours. */
const most = 7;
/** Milliseconds a step stays on show while the race plays. */
const pace = 250;

export const view = defineView({
  name: "race",
  title: "What happens if I turn this up?",
  about:
    "A step goes downhill by the learning rate times the slope. Too small a rate crawls. A larger one lands nearer the minimum, " +
    "until it jumps over it, and beyond a limit every jump lands higher than the one before. On w² the slope is 2w, so a step " +
    "multiplies w by 1 − 2·lr: at a rate of 0.1 by 0.8, at 1.5 by −2.",
  formula: "w_{t + 1} = w_t − lr · L′ ( w_t )",
  question: "At which rate does w² go from oscillating to diverging? And with momentum?",
  fields,
  open: (root, page) => openRace(root, page as Page<State>),
});

function openRace(root: HTMLElement, page: Page<State>) {
  let runs: readonly Run[] = [];
  let shown: number | null = null;
  const land = h("figure", { class: "land" });
  const curves = Array.from({ length: most + 1 }, (_, i) => ({
    label: `run ${i}`,
    color: `run-${i}`,
    width: i === 0 ? 3 : 2,
  }));
  const plot = new Curves(
    { title: "The loss of each run by step, on a logarithmic scale", x: "step", y: "loss", logY: true, curves },
    page.closed,
  );
  const cards = h("ol", { class: "cards" });
  const scrub = h("input", {
    type: "range",
    min: 0,
    value: 0,
    "aria-label": "step shown",
    oninput: () => {
      stopPlaying();
      show(Number(scrub.value));
    },
  });
  const stepText = h("output", {});
  const play = h("button", { type: "button", onclick: () => (playing ? stopPlaying() : startPlaying()) }, "play");
  let playing: ReturnType<typeof setInterval> | undefined;
  function stopPlaying(): void {
    clearInterval(playing);
    playing = undefined;
    play.textContent = "play";
  }
  function startPlaying(): void {
    play.textContent = "pause";
    let step = Number(scrub.value) >= Number(scrub.max) ? -1 : Number(scrub.value);
    playing = setInterval(() => {
      if (document.hidden) return;
      show(++step);
      if (step >= Number(scrub.max)) stopPlaying();
    }, pace);
  }
  page.closed.addEventListener("abort", stopPlaying);
  root.append(
    h(
      "div",
      { class: "presets", role: "group", "aria-label": "rates to try" },
      ...presets.map((lr) => h("button", { type: "button", onclick: () => page.set({ lr }) }, String(lr))),
    ),
    h(
      "div",
      { class: "pair" },
      h(
        "section",
        { class: "card" },
        h("h2", {}, "Where each run stands"),
        land,
        h("div", { class: "row" }, play, scrub, stepText),
      ),
      h("section", { class: "card chart-card" }, h("h2", {}, "Its loss"), plot.element),
    ),
    cards,
  );

  /** Shows the runs up to a step. */
  function show(step: number): void {
    shown = Math.min(step, Number(scrub.max));
    scrub.value = String(shown);
    stepText.textContent = `step ${shown} of ${scrub.max}`;
    land.replaceChildren(drawLand(page.state, runs, shown));
    cards.replaceChildren(...runs.map((each, i) => cardOf(each, i, shown!)));
  }

  let asked = 0;
  return {
    async update(state: State) {
      const mine = ++asked;
      const rates = [state.lr, ...state.rates.slice(0, most)];
      const found = await run({ ...state, rates });
      if (mine !== asked || page.closed.aborted) return;
      page.warn(state.rates.length > most ? `${most} rates run beside yours; the rest of the list is left out` : "");
      const atEnd = shown === null || shown >= Number(scrub.max);
      runs = found;
      scrub.max = String(state.steps);
      const steps = Array.from({ length: state.steps + 1 }, (_, step) => step);
      // A loss of 0 has no place on a logarithmic scale; a loss far from the first leaves the picture.
      const first = runs[0]!.losses[0]!;
      plot.draw(
        [steps, ...curves.map((_, i) => steps.map((step) => runs[i]?.losses[step] || null))],
        first > 0 ? [1e-8 * first, 1e4 * first] : undefined,
      );
      show(playing ? shown! : atEnd || isStill() ? state.steps : shown!);
    },
    recolor: () => plot.recolor(),
  };
}

function cardOf({ rate: lr, places, state, why }: Run, index: number, step: number): HTMLElement {
  return h(
    "li",
    { class: `card run run-${index}`, "data-state": state },
    h(
      "h2",
      {},
      h("span", { class: "swatch" }),
      `lr ${short(lr)}`,
      index === 0 ? h("small", { class: "yours" }, " yours") : null,
    ),
    h("p", { class: "verdict" }, state),
    h("p", { class: "places" }, `w: ${wayOf(places, step)}`),
    h("p", { class: "why" }, why),
  );
}

/** The first places and the last ones up to a step: "4 → 3.2 → 2.56 → … → 0.00774 → 0.00619". */
function wayOf(places: readonly number[], step: number): string {
  const [firsts, lasts] = [5, 2];
  const seen = places.slice(0, step + 1).map(short);
  const shown = seen.length > firsts + lasts ? [...seen.slice(0, firsts), "…", ...seen.slice(-lasts)] : seen;
  return minus([...shown, ...(step >= places.length ? ["not finite"] : [])].join(" → "));
}

/** Sizes in the picture's own units. */
const [width, height, margin] = [480, 300, 24];

/** The loss with a point for each place of each run, the latest largest; a place outside is an arrow at the edge. */
function drawLand({ loss, start }: State, runs: readonly Run[], step: number): SVGElement {
  const landscape = losses[loss]!.landscape();
  const reach = 1.25 * Math.max(Math.abs(start), 1);
  const count = 240;
  const grid = Array.from({ length: count + 1 }, (_, i) => -reach + (2 * reach * i) / count);
  const heights = grid.map((w) => landscape.value([w]));
  const top = Math.max(...heights);
  const x = (w: number) => margin + ((w + reach) / (2 * reach)) * (width - 2 * margin);
  const y = (value: number) => height - margin - (value / top) * (height - 2 * margin);
  const path = grid.map((w, i) => `${i === 0 ? "M" : "L"}${x(w).toFixed(1)} ${y(heights[i]!).toFixed(1)}`).join("");
  const ticks = [-start, 0, start].filter((w, i, all) => all.indexOf(w) === i);
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The places of ${runs.length} runs on ${loss}` },
    svg("line", { class: "axis", x1: margin, x2: width - margin, y1: y(0), y2: y(0) }),
    ...ticks.map((w) => svg("text", { class: "tick", x: x(w), y: height - 6 }, minus(short(w)))),
    svg("path", { class: "loss", d: path }),
    ...runs.flatMap(({ places }, i) => trail(places.slice(0, step + 1), i)).reverse(),
  );

  function trail(places: readonly number[], index: number): readonly SVGElement[] {
    const seen = places.slice(-12);
    const inside = (w: number) => Math.abs(w) <= reach;
    const points = seen.filter(inside).map((w) => `${x(w).toFixed(1)},${y(landscape.value([w])).toFixed(1)}`);
    const last = seen[seen.length - 1]!;
    return [
      svg("polyline", { class: `trail run-${index}`, points: points.join(" ") }),
      ...seen
        .map((w, k) => {
          const isLast = k === seen.length - 1;
          if (!inside(w)) return null;
          return svg("circle", {
            class: `place run-${index}`,
            cx: x(w),
            cy: y(landscape.value([w])),
            r: isLast ? 7 : 2.5,
          });
        })
        .filter((each) => each !== null),
      ...(inside(last)
        ? []
        : [
            svg(
              "text",
              {
                class: `gone run-${index}`,
                x: last > 0 ? width - 4 : 4,
                y: margin + 18 * index,
                "text-anchor": last > 0 ? "end" : "start",
              },
              last > 0 ? `${short(last)} →` : `← ${short(last)}`,
            ),
          ]),
    ];
  }
}
