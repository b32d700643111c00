// The landscape: lines of equal height, the paths of rules under schedules from a start set by pointer or keys, and a cloud of
// starts that flows downhill, coloured by where each ends.

import { DeviceError } from "../../../base/errors.ts";
import { short } from "../../../base/short.ts";
import { choice, number, whole } from "../../../lab/experiments/experiment.ts";
import { makeSteps, trainee } from "../../../lab/experiments/steps.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import type { Landscape } from "../../../objectives/landscapes/define.ts";
import { breathe } from "../../../objectives/turns.ts";
import type { Engine, Trainee } from "../../../train/engine.ts";
import { arrowOf } from "../arrows.ts";
import { h, svg } from "../elements.ts";
import { currentEngine, newEngine } from "../engine.ts";
import { field, type State as StateOf, select } from "../fields.ts";
import { InputFirst } from "../input_first.ts";
import { isStill } from "../looks.ts";
import { defineView, type Page } from "../view.ts";
import { createCpuMap } from "./landscape_cpu.ts";
import { createGpuMap } from "./landscape_gpu.ts";
import { endColor, endColors, type Flowing, type LandscapeMap } from "./landscape_map.ts";
import {
  type Basins,
  basinsOf,
  canyon,
  cloudOf,
  driven,
  mostRacers,
  outcomeOf,
  place,
  placeOf,
  printRacers,
  type Racer,
  racerNames,
  racers,
  racersOf,
  type ScheduleShape,
  scheduleShapeNames,
  sharesOf,
  someOf,
  stepsOfFrame,
  surfaceNames,
  surfaceOf,
  usualRateOn,
  type Way,
  waysFrom,
} from "./landscape_runs.ts";
import { Work } from "./work.ts";

const isCanyon = ({ landscape }: Readonly<Record<string, unknown>>) => landscape === canyon;

const fields = {
  landscape: select("landscape", choice("what is minimised", surfaceNames, "himmelblau")),
  condition: field(
    "condition number",
    number("the largest over the smallest curvature", 100, { min: 1, max: 1e6 }),
    { type: "slider", from: 1, to: 1e4, log: true },
    isCanyon,
  ),
  angle: field(
    "angle",
    number("how far it is rotated, in radians", 0, { min: -10, max: 10 }),
    { type: "slider", from: 0, to: 1.6, step: 0.05 },
    isCanyon,
  ),
  times: field("all rates ×", number("multiplies every rate", 1, { above: 0, max: 1e6 }), {
    type: "slider",
    from: 0.01,
    to: 100,
    log: true,
  }),
  schedule: field("schedules", someOf("how rates change over the run", scheduleShapeNames, "constant"), {
    type: "checks",
    names: scheduleShapeNames,
  }),
  steps: field("steps", whole("how many steps every run takes", 300, { min: 1, max: 5000 })),
  start: field("start x, y", place("where the paths begin; the landscape's own start if empty")),
  flow: select("rule of the cloud", choice("how every point of the cloud moves", racerNames, "sgd")),
  cloud: field("points of the cloud", whole("how many starts flow downhill", 100_000, { min: 4, max: 1e6 })),
  rules: field("rules", racers("which rules run from the start", "sgd,momentum,adam,lion"), { type: "none" }),
};
type State = StateOf<typeof fields>;

/** How many points the CPU reference moves in real time. */
const mostOnCpu = 2500;
/** Milliseconds of a frame, on a GPU and on an emulated one. */
const [frameMs, softwareFrameMs] = [14, 50];
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
/** The least milliseconds of a flow, so that it can be seen. */
const leastMs = 2500;
/** The map's side, in its own units. */
const side = 1000;
const dashes: Readonly<Record<ScheduleShape, string>> = {
  constant: "none",
  cosine: "12 5",
  linear: "3 4",
  warmupStableDecay: "14 4 3 4",
};

/** A start that lies on no axis of the canyon, turned or not. */
const aside = "-1.3,0.6";

const presets: readonly { readonly name: string; readonly state: Partial<State> }[] = [
  {
    name: "canyon: where Adam and SGD part ways",
    state: {
      landscape: canyon,
      condition: 100,
      angle: 0,
      start: aside,
      rules: "sgd,momentum,adam",
      flow: "adam",
      steps: 2000,
    },
  },
  {
    name: "the same, rotated",
    state: {
      landscape: canyon,
      condition: 100,
      angle: 0.8,
      start: aside,
      rules: "sgd,momentum,adam",
      flow: "adam",
      steps: 2000,
    },
  },
  { name: "four hollows", state: { landscape: "himmelblau", rules: "sgd,momentum,adam,lion", flow: "momentum" } },
  { name: "bumps", state: { landscape: "rastrigin", rules: "sgd,momentum,adam,lion", flow: "sgd" } },
  { name: "saddle", state: { landscape: "saddle", rules: "sgd,momentum,adam,lion", flow: "sgd", steps: 300 } },
];
const presetBase: Partial<State> = { condition: 100, angle: 0, times: 1, schedule: "constant", steps: 300, start: "" };

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

function openLandscape(root: HTMLElement, page: Page<State>) {
  const surfaces = h("div", { class: "surfaces" });
  const overlay = svg("svg", { viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" });
  const map = h(
    "div",
    { class: "map", tabindex: "0", role: "application", "aria-label": "map; arrow keys move the start" },
    surfaces,
    overlay,
  );
  const under = h("p", { class: "under" }, " ");
  const found = h("ul", { class: "ends", id: "ends" });
  const progress = h("progress", { value: 0, max: 1, "aria-label": "progress of the cloud" });
  const again = h("button", { type: "button", class: "primary", id: "flow", onclick: () => restart() }, "flow again");
  const work = new Work(page, []);
  const inputFirst = new InputFirst(page.closed);
  const ways = h("ol", { class: "ways" });
  const adder = h("select", {
    "aria-label": "add a rule",
    onchange() {
      const name = adder.value;
      if (name !== "") setRacers([...racersOf(page.state.rules), { name }]);
    },
  });
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
        map,
        under,
        h("div", { class: "row" }, again, work.stopButton),
        progress,
      ),
      h(
        "section",
        { class: "card" },
        h("h2", {}, "From the start"),
        ways,
        h("div", { class: "row" }, adder),
        h("h2", { class: "next" }, "Where the cloud ends"),
        found,
      ),
    ),
  );

  let landscape: Landscape | undefined;
  let basins: Basins | undefined;
  let current: { readonly made: Trainee; readonly flowing: Flowing } | undefined;
  let drawn: { readonly map: LandscapeMap; readonly device: GPUDevice | null } | undefined;
  let shownWays: readonly Way[] = [];
  /** Whether a pointer holds the start. */
  let dragged = false;
  let letGo = () => {};
  const released = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      letGo = resolve;
      signal.addEventListener("abort", () => resolve());
    });
  let stop = new AbortController();
  let idle: Promise<void> = Promise.resolve();
  let last: State | undefined;
  let surfaceKey = "";
  let flowKey = "";
  let waysKey = "";
  let isFinding = false;
  let soon: ReturnType<typeof setTimeout> | undefined;
  page.closed.addEventListener("abort", () => {
    stop.abort();
    clearTimeout(soon);
    idle.finally(() => {
      drawn?.map.destroy();
      current?.made.destroy();
    });
  });

  const toX = (x: number) => ((x - landscape!.domain[0][0]) / spanOf(landscape!.domain[0])) * side;
  const toY = (y: number) => (1 - (y - landscape!.domain[1][0]) / spanOf(landscape!.domain[1])) * side;

  function setRacers(next: readonly Racer[]): void {
    page.set({ rules: printRacers(next) });
  }

  /** A map that draws on this device, in place of one on another. */
  async function mapOn(device: GPUDevice | null): Promise<LandscapeMap> {
    if (drawn && drawn.device === device) return drawn.map;
    drawn?.map.destroy();
    const made = device ? await createGpuMap(device) : createCpuMap();
    drawn = { map: made, device };
    surfaces.replaceChildren(...made.canvases);
    await made.drawLines(landscape!);
    return made;
  }

  /** Redraws lines and colours; after the loss of the device, the restarted cloud does so on another. */
  function redraw(): void {
    redrawn = redrawn.then(async () => {
      if (!drawn || page.closed.aborted) return;
      const { map } = drawn;
      try {
        await map.drawLines(landscape!);
        if (!current) return;
        await map.take(current.flowing);
        await map.drawCloud();
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        page.say(error.message);
      }
    });
  }
  let redrawn: Promise<void> = Promise.resolve();

  /** Lets the cloud flow from its starts, in place of the current one. */
  async function restart(): Promise<void> {
    stop.abort();
    const mine = new AbortController();
    stop = mine;
    await idle;
    if (mine.signal.aborted || page.closed.aborted) return;
    idle = work.do(async (engine, stopped) => {
      const signal = AbortSignal.any([stopped, mine.signal]);
      try {
        await flow(engine, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(await engine.lost?.())) throw error;
        page.say("the GPU device was lost; the cloud restarts on another");
        await newEngine();
        const next = await page.engine();
        if (!signal.aborted) await flow(next, signal, "the GPU device was lost; the cloud restarted: ");
      }
    });
    await idle;
  }

  async function flow(engine: Engine, signal: AbortSignal, before = ""): Promise<void> {
    const { device } = await currentEngine();
    const state = page.state;
    const [surface, ends] = [landscape!, basins!];
    const picture = await mapOn(engine.backend === "cpu" ? null : device);
    const count = engine.backend === "cpu" ? Math.min(state.cloud, mostOnCpu) : state.cloud;
    const cloud = cloudOf(surface.domain, count);
    const name = state.flow;
    const own = racersOf(state.rules).find((each) => each.name === name) ?? { name };
    const [schedule] = state.schedule.split(",") as ScheduleShape[];
    const config = driven(surface, own, { times: state.times, schedule: schedule!, steps: state.steps });
    const limited =
      count < state.cloud ? ` (the CPU reference moves ${mostOnCpu.toLocaleString("en")} in real time)` : "";
    const what = `${before}${count.toLocaleString("en")} points${limited} follow ${name} at ${rateText(own, surface, state)}`;
    found.replaceChildren();
    current?.made.destroy();
    current = undefined;
    const made = await trainee({ engine }, surface, config, cloud.starts);
    current = { made, flowing: { optimizer: made.optimizer, cloud, basins: ends } };
    await picture.take(current.flowing);
    const still = isStill();
    const budget = engine.adapter.software ? softwareFrameMs : frameMs;
    const show = async (step: number) => {
      await picture.drawCloud();
      progress.value = step / state.steps;
      showDots(step);
      page.say(`${what}: step ${step} of ${state.steps}`);
    };
    if (!still) await show(0);
    let next = 1;
    for (let step = 0; step < state.steps && !signal.aborted; ) {
      await page.visible();
      await inputFirst.painted();
      // Where one processor both emulates the GPU and draws the page, the cloud waits while the start is dragged.
      if (dragged && engine.adapter.software) await released(signal);
      if (!still) await nextFrame();
      const began = performance.now();
      const some = Math.min(next, state.steps - step);
      await makeSteps(made, some, breathe);
      step += some;
      if (signal.aborted) return;
      const stepped = performance.now();
      if (!still || step === state.steps) await show(step);
      const drew = performance.now() - stepped;
      const most = still ? 256 : Math.ceil((state.steps * Math.max(frameMs, stepped - began + drew)) / leastMs);
      next = stepsOfFrame(some, stepped - began, Math.max(budget, drew), most);
    }
    if (signal.aborted) return;
    showShares(ends, (await made.optimizer.read())[pointsName]!);
    page.say(`${what}: ${state.steps} steps done`);
    progress.value = 1;
  }

  /** Shows the share of the cloud's points at each end. */
  function showShares({ ends }: Basins, points: ArrayLike<number>): void {
    const { arrived, onTheWay, gone } = sharesOf(basins!, points);
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const order = arrived
      .map((share, i) => ({ share, i }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share);
    const rest = order.slice(endColors).reduce((sum, { share }) => sum + share, 0);
    found.replaceChildren(
      ...order.slice(0, endColors).map(({ share, i }) => {
        const [x, y] = ends[i]!;
        return h(
          "li",
          { class: `run-${endColor(i)}` },
          h("span", { class: "swatch" }),
          `${percent(share)} at (${minus(short(clean(x)))}, ${minus(short(clean(y)))})`,
        );
      }),
      ...(rest > 0 ? [h("li", {}, `${percent(rest)} at ${order.length - endColors} other minima`)] : []),
      ...(onTheWay > 0 ? [h("li", {}, `${percent(onTheWay)} still on the way`)] : []),
      ...(gone > 0 ? [h("li", {}, `${percent(gone)} gone`)] : []),
    );
  }

  /**
   * Computes and draws the paths of the latest state. A start that moves meanwhile has to wait, so that paths are drawn while it is
   * dragged; any other change begins anew.
   */
  async function findWays(): Promise<void> {
    let found: State | undefined;
    while (found !== last) {
      const state = last!;
      const key = waysKey;
      await new Promise((resolve) => setTimeout(resolve));
      const made = await waysFrom({
        landscape: landscape!,
        racers: racersOf(state.rules),
        schedules: state.schedule.split(",") as ScheduleShape[],
        times: state.times,
        steps: state.steps,
        start: placeOf(state.start, landscape!),
        isStale: () => key !== waysKey || page.closed.aborted,
      });
      if (page.closed.aborted) return;
      if (!made) continue;
      found = state;
      shownWays = made;
      showWays(last!);
      showCards(last!);
    }
  }

  /** Draws the paths of the rules from the start, and the place of each after the steps that the cloud has made. */
  function showWays(state: State): void {
    const names = racersOf(state.rules).map(({ name }) => name);
    const [x, y] = placeOf(state.start, landscape!);
    overlay.replaceChildren(
      ...basins!.ends.map(([u, v]) => svg("path", { class: "end", d: cross(toX(u), toY(v)) })),
      ...shownWays.flatMap((way) => {
        const index = names.indexOf(way.racer.name);
        if (index < 0) return [];
        const d = pathOf(way.places, toX, toY);
        return [
          svg("path", { class: "halo", d }),
          svg("path", { class: `way run-${index}`, d, "stroke-dasharray": dashes[way.schedule] }),
        ];
      }),
      ...shownWays.map(({ racer }) =>
        svg("circle", { class: `place dot run-${Math.max(0, names.indexOf(racer.name))}`, r: 9 }),
      ),
      svg("circle", { class: "start", cx: toX(x).toFixed(1), cy: toY(y).toFixed(1), r: 13 }),
    );
    showDots(state.steps);
  }

  function showStart(state: State): void {
    const [x, y] = placeOf(state.start, landscape!);
    const circle = overlay.querySelector(".start");
    circle?.setAttribute("cx", toX(x).toFixed(1));
    circle?.setAttribute("cy", toY(y).toFixed(1));
  }

  function showDots(step: number): void {
    const dots = overlay.querySelectorAll(".dot");
    for (const [i, { places }] of shownWays.entries()) {
      const at = Math.min(2 * step, places.length - 2);
      const [x, y] = [toX(places[at]!), toY(places[at + 1]!)];
      const isInside = Math.abs(x) < 2 * side && Math.abs(y) < 2 * side;
      dots[i]?.setAttribute("cx", isInside ? x.toFixed(1) : "-99");
      dots[i]?.setAttribute("cy", isInside ? y.toFixed(1) : "-99");
    }
  }

  /** Cards are kept as long as their rules, so that a box keeps its focus while typing. */
  let cards = new Map<string, Card>();
  function showCards(state: State): void {
    const chosen = racersOf(state.rules);
    const next = new Map(chosen.map((each) => [each.name, cards.get(each.name) ?? cardOf(each.name)]));
    for (const [index, racer] of chosen.entries()) {
      const outcomes = shownWays
        .filter(({ racer: { name } }) => name === racer.name)
        .map((way) => {
          const { text } = outcomeOf(way, state.steps, landscape!, basins!.ends);
          return state.schedule.includes(",") ? `${way.schedule}: ${text}` : text;
        });
      next.get(racer.name)!.show(index, racer, outcomes, chosen.length > 1);
    }
    if ([...next.keys()].join() !== [...cards.keys()].join())
      ways.replaceChildren(...[...next.values()].map(({ element }) => element));
    cards = next;
    const others = racerNames.filter((name) => !next.has(name));
    adder.replaceChildren(new Option("add a rule …", ""), ...others.map((name) => new Option(name)));
    adder.disabled = chosen.length >= mostRacers;
  }

  interface Card {
    readonly element: HTMLElement;
    show(index: number, racer: Racer, outcomes: readonly string[], removable: boolean): void;
  }

  function cardOf(name: string): Card {
    const change = (rate: number | undefined) =>
      setRacers(
        racersOf(page.state.rules).map((each) =>
          each.name !== name ? each : rate === undefined ? { name } : { name, rate },
        ),
      );
    const input = h("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": `learning rate of ${name}`,
      oninput() {
        const text = input.value.trim();
        const rate = text === "" ? undefined : Number(text);
        const isRate = rate === undefined || (rate > 0 && rate <= 1e6);
        input.toggleAttribute("aria-invalid", !isRate);
        if (!isRate) input.setAttribute("aria-invalid", "true");
        if (isRate) change(rate);
      },
    });
    const remove = h(
      "button",
      {
        type: "button",
        class: "remove",
        "aria-label": `remove ${name}`,
        onclick: () => setRacers(racersOf(page.state.rules).filter((each) => each.name !== name)),
      },
      "×",
    );
    const said = h("div", {});
    const element = h(
      "li",
      {},
      h(
        "div",
        { class: "row" },
        h("span", { class: "swatch" }),
        h("strong", {}, name),
        h("span", {}, "lr"),
        input,
        remove,
      ),
      said,
    );
    return {
      element,
      show(index, racer, outcomes, removable) {
        element.className = `run run-${index}`;
        remove.disabled = !removable;
        if (document.activeElement !== input) input.value = racer.rate === undefined ? "" : String(racer.rate);
        input.placeholder = String(usualRateOn(landscape!, name));
        said.replaceChildren(...outcomes.map((text) => h("p", { class: "outcome" }, text)));
      },
    };
  }

  function moveStart(x: number, y: number): void {
    const digits = (value: number) => Number(value.toPrecision(4));
    page.set({ start: `${digits(x)},${digits(y)}` });
  }

  /** The pointer's place on the landscape. */
  function placeUnder(event: PointerEvent): readonly [number, number] {
    const { left, top, width, height } = map.getBoundingClientRect();
    const within = (share: number) => Math.min(1, Math.max(0, share));
    const [[x0], [y0]] = landscape!.domain;
    return [
      x0 + within((event.clientX - left) / width) * spanOf(landscape!.domain[0]),
      y0 + (1 - within((event.clientY - top) / height)) * spanOf(landscape!.domain[1]),
    ];
  }
  const showPlace = (x: number, y: number) => {
    const height = short(landscape!.value([x, y]));
    under.textContent = minus(`(${x.toFixed(2)}, ${y.toFixed(2)}), height ${height}`);
  };
  const showBox = () => {
    const [[left, right], [low, high]] = landscape!.domain;
    under.textContent = minus(`x from ${left} to ${right}, y from ${low} to ${high}; ⨯ marks a minimum`);
  };
  /** The place to which the start moves in the next frame: there are more events than frames. */
  let pulled: readonly [number, number] | undefined;
  map.addEventListener("pointerdown", (event) => {
    if (!landscape) return;
    map.setPointerCapture(event.pointerId);
    dragged = true;
    moveStart(...placeUnder(event));
  });
  map.addEventListener("pointermove", (event) => {
    if (!landscape) return;
    const at = placeUnder(event);
    showPlace(...at);
    if (!dragged) return;
    if (!pulled) {
      requestAnimationFrame(() => {
        if (pulled && !page.closed.aborted) moveStart(...pulled);
        pulled = undefined;
      });
    }
    pulled = at;
  });
  const end = () => {
    dragged = false;
    letGo();
  };
  map.addEventListener("pointerup", end);
  map.addEventListener("pointercancel", end);
  map.addEventListener("pointerleave", () => landscape && showBox());
  map.addEventListener("keydown", (event) => {
    const way = arrowOf(event);
    if (!way || !landscape) return;
    event.preventDefault();
    const [x, y] = placeOf(page.state.start, landscape);
    const share = event.shiftKey ? 0.1 : 0.02;
    const at = [
      x + way[0] * share * spanOf(landscape.domain[0]),
      y + way[1] * share * spanOf(landscape.domain[1]),
    ] as const;
    moveStart(...at);
    showPlace(...at);
  });

  return {
    async update(state: State) {
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
      const isNew = key !== surfaceKey;
      if (isNew) {
        surfaceKey = key;
        landscape = surfaceOf(state.landscape, state.condition, state.angle);
        basins = basinsOf(landscape);
        shownWays = [];
        showBox();
      }
      const own = racersOf(state.rules).find(({ name }) => name === state.flow)?.rate;
      const flowing = JSON.stringify([
        key,
        state.flow,
        own,
        state.times,
        state.schedule.split(",")[0],
        state.steps,
        state.cloud,
      ]);
      if (flowing !== flowKey) {
        const first = flowKey === "";
        flowKey = flowing;
        clearTimeout(soon);
        stop.abort();
        soon = setTimeout(restart, first ? 0 : 200);
      }
      if (isNew) redraw();
      // The start itself moves at once, and is painted before its ways are computed.
      showStart(state);
      waysKey = JSON.stringify({ ...state, start: "" });
      if (isFinding) return;
      isFinding = true;
      try {
        await findWays();
      } finally {
        isFinding = false;
      }
    },
    recolor: redraw,
  };
}

const spanOf = ([low, high]: readonly [number, number]) => high - low;
const minus = (text: string) => text.replaceAll("-", "−");
/** Replaces a 0 with rounding errors by 0. */
const clean = (value: number) => (Math.abs(value) < 1e-6 ? 0 : value);
const cross = (x: number, y: number) => `M${(x - 8).toFixed(1)} ${(y - 8).toFixed(1)}l16 16m0 -16l-16 16`;

function rateText(racer: Racer, landscape: Landscape, { times }: State): string {
  return `a rate of ${short((racer.rate ?? usualRateOn(landscape, racer.name)) * times)}`;
}

/** A line through places, up to the first far outside the picture. */
function pathOf(places: readonly number[], toX: (x: number) => number, toY: (y: number) => number): string {
  let path = "";
  for (let k = 0; k < places.length; k += 2) {
    const [x, y] = [toX(places[k]!), toY(places[k + 1]!)];
    if (!(Math.abs(x) < 1e4 && Math.abs(y) < 1e4)) break;
    path += `${k === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }
  return path;
}
