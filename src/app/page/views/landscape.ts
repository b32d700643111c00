// The landscape: lines of equal height, the paths of rules under schedules from a start set by pointer or keys, and a cloud of
// starts that flows downhill, coloured by where each ends.

import { h } from "../elements.ts";
import { defineView, type OpenView, type Page } from "../view.ts";
import { Cards } from "./landscape_cards.ts";
import { FlowingCloud } from "./landscape_cloud.ts";
import { fields, presetBase, presets, type State } from "./landscape_fields.ts";
import { basinsOf, type Ground, printRacers, racersOf, surfaceOf } from "./landscape_runs.ts";
import { WayMap } from "./landscape_ways.ts";

export const view = defineView({
  name: "landscape",
  title: "Which way is down?",
  about:
    "Every rule takes its own path downhill from the same start: click the map to set it, or use the arrow keys. Behind them a " +
    "whole cloud of points flows downhill, each in the colour of the minimum it heads for, solid once it has arrived. The ground " +
    "shows the colour of the point that started there: the basins of attraction. Grey points have left the picture.",
  formula: "x_{t + 1} = x_t − lr_t · U ( ∇ f ( x_t ) )",
  question:
    "In the canyon Adam, which scales each coordinate separately, arrives long before SGD. Set the angle to 0.8: which is first now?",
  fields,
  open: (root, page) => openLandscape(root, page as Page<State>),
});

function openLandscape(root: HTMLElement, page: Page<State>): OpenView<State> {
  const cards = new Cards(page);
  const cloud: FlowingCloud = new FlowingCloud(page, {
    onStep: (step) => map.showDots(step),
    released: (signal) => map.released(signal),
  });
  const map = new WayMap(page, cloud.surfaces, (state, ground, ways) => cards.show(state, ground, ways));
  root.append(
    h(
      "div",
      { class: "presets", role: "group", "aria-label": "what to look at" },
      ...presets.map(({ name, state }) =>
        h("button", { type: "button", onclick: () => page.set({ ...presetBase, ...state }) }, name),
      ),
    ),
    h(
      "div",
      { class: "pair" },
      h(
        "section",
        { class: "card" },
        h("h2", {}, "Where they go"),
        map.element,
        map.caption,
        cloud.buttons,
        cloud.progress,
      ),
      h(
        "section",
        { class: "card" },
        h("h2", {}, "From the start"),
        cards.list,
        h("div", { class: "row" }, cards.adder),
        h("h2", { class: "next" }, "Where the cloud ends"),
        cloud.shares,
      ),
    ),
  );

  let last: State | undefined;
  let ground: Ground | undefined;
  let groundKey = "";
  return {
    async update(state) {
      const before = last;
      last = state;
      // Settings for one landscape do not suit another, unless they were set together with it.
      if (
        before &&
        before.landscape !== state.landscape &&
        before.rules === state.rules &&
        before.start === state.start
      ) {
        const rules = printRacers(racersOf(state.rules).map(({ name }) => ({ name })));
        if (rules !== state.rules || state.start !== "" || state.times !== 1)
          return page.set({ rules, start: "", times: 1 });
      }
      page.warn("");
      const key = `${state.landscape} ${state.condition} ${state.angle}`;
      if (!ground || key !== groundKey) {
        groundKey = key;
        const landscape = surfaceOf(state.landscape, state.condition, state.angle);
        ground = { landscape, basins: basinsOf(landscape) };
      }
      cloud.follow(state, ground);
      await map.follow(state, ground);
    },
    recolor: () => cloud.redraw(),
  };
}
