// The cloud of starts that flows downhill over the map in real time, and the shares of its points at each end.
import { DeviceError } from "../../../base/errors.ts";
import { short } from "../../../base/short.ts";
import { makeSteps, trainee } from "../../../lab/experiments/steps.ts";
import type { ScheduleShape } from "../../../lab/schedule_shapes.ts";
import { pointsName } from "../../../objectives/landscape.ts";
import { breathe } from "../../../objectives/turns.ts";
import type { Engine, Trainee } from "../../../train/engine.ts";
import { h, minus } from "../elements.ts";
import { currentEngine, newEngine } from "../engine.ts";
import { InputFirst } from "../input_first.ts";
import { isStill } from "../looks.ts";
import type { Page } from "../view.ts";
import { createCpuMap } from "./landscape_cpu.ts";
import type { State } from "./landscape_fields.ts";
import { createGpuMap } from "./landscape_gpu.ts";
import { endColor, endColors, type Flowing, type LandscapeMap } from "./landscape_map.ts";
import {
  type Basins,
  cloudOf,
  driven,
  type Ground,
  racersOf,
  sharesOf,
  stepsOfFrame,
  usualRateOn,
} from "./landscape_runs.ts";
import { Work } from "./work.ts";

/** How many points the CPU reference moves in real time. */
const mostOnCpu = 2500;
/** Milliseconds of a frame, on a GPU and on an emulated one. */
const [frameMs, softwareFrameMs] = [14, 50];
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
/** The least milliseconds of a flow, so that it can be seen. */
const leastMs = 2500;

/** What a cloud that flows reports and asks. */
interface Listeners {
  /** Called after each frame with the steps made. */
  onStep(step: number): void;
  /** Resolves once the pointer has let go of the map. */
  released(signal: AbortSignal): Promise<void>;
}

export class FlowingCloud {
  /** The canvases, of the device that draws. */
  readonly surfaces = h("div", { class: "surfaces" });
  readonly shares = h("ul", { class: "ends", id: "ends" });
  readonly progress = h("progress", { value: 0, max: 1, "aria-label": "progress of the cloud" });
  readonly buttons: HTMLElement;
  readonly #page: Page<State>;
  readonly #listeners: Listeners;
  readonly #work: Work;
  readonly #inputFirst: InputFirst;
  #ground!: Ground;
  #current: { readonly made: Trainee; readonly flowing: Flowing } | undefined;
  #drawn: { readonly map: LandscapeMap; readonly device: GPUDevice | null } | undefined;
  #redrawn: Promise<void> = Promise.resolve();
  #stop = new AbortController();
  #idle: Promise<void> = Promise.resolve();
  /** The settings of the flow. */
  #key = "";
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Page<State>, listeners: Listeners) {
    this.#page = page;
    this.#listeners = listeners;
    this.#work = new Work(page, []);
    this.#inputFirst = new InputFirst(page.closed);
    const onclick = () => this.#restart();
    const again = h("button", { type: "button", class: "primary", id: "flow", onclick }, "flow again");
    this.buttons = h("div", { class: "row" }, again, this.#work.stopButton);
    page.closed.addEventListener("abort", () => {
      this.#stop.abort();
      clearTimeout(this.#soon);
      this.#idle.finally(() => {
        this.#drawn?.map.destroy();
        this.#current?.made.destroy();
      });
    });
  }

  /** Follows a new state: what concerns the cloud lets it flow anew. */
  follow(state: State, ground: Ground): void {
    const isNew = ground !== this.#ground;
    this.#ground = ground;
    const { flow, times, steps, cloud } = state;
    const own = racersOf(state.rules).find(({ name }) => name === flow)?.rate;
    const key = JSON.stringify([flow, own, times, state.schedule.split(",")[0], steps, cloud]);
    if (isNew || key !== this.#key) {
      const first = this.#key === "";
      this.#key = key;
      clearTimeout(this.#soon);
      this.#stop.abort();
      this.#soon = setTimeout(() => this.#restart(), first ? 0 : 200);
    }
    if (isNew) this.redraw();
  }

  /** Redraws lines and colours; after the loss of the device, the restarted cloud does so on another. */
  redraw(): void {
    this.#redrawn = this.#redrawn.then(async () => {
      if (!this.#drawn || this.#page.closed.aborted) return;
      const { map } = this.#drawn;
      try {
        await map.drawLines(this.#ground.landscape);
        if (!this.#current) return;
        await map.take(this.#current.flowing);
        await map.drawCloud();
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        this.#page.say(error.message);
      }
    });
  }

  /** Lets the cloud flow from its starts, in place of the current one. */
  async #restart(): Promise<void> {
    this.#stop.abort();
    const mine = new AbortController();
    this.#stop = mine;
    await this.#idle;
    if (mine.signal.aborted || this.#page.closed.aborted) return;
    this.#idle = this.#work.do(async (engine, stopped) => {
      const signal = AbortSignal.any([stopped, mine.signal]);
      try {
        await this.#flow(engine, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(await engine.lost?.())) throw error;
        this.#page.say("the GPU device was lost; the cloud restarts on another");
        await newEngine();
        const next = await this.#page.engine();
        if (!signal.aborted) await this.#flow(next, signal, "the GPU device was lost; the cloud restarted: ");
      }
    });
    await this.#idle;
  }

  async #flow(engine: Engine, signal: AbortSignal, before = ""): Promise<void> {
    const { device } = await currentEngine();
    const state = this.#page.state;
    const { landscape, basins } = this.#ground;
    const picture = await this.#mapOn(engine.backend === "cpu" ? null : device);
    const count = engine.backend === "cpu" ? Math.min(state.cloud, mostOnCpu) : state.cloud;
    const cloud = cloudOf(landscape.domain, count);
    const name = state.flow;
    const own = racersOf(state.rules).find((each) => each.name === name) ?? { name };
    const [schedule] = state.schedule.split(",") as ScheduleShape[];
    const config = driven(landscape, own, { times: state.times, schedule: schedule!, steps: state.steps });
    const limited =
      count < state.cloud ? ` (the CPU reference moves ${mostOnCpu.toLocaleString("en")} in real time)` : "";
    const rate = short((own.rate ?? usualRateOn(landscape, name)) * state.times);
    const what = `${before}${count.toLocaleString("en")} points${limited} follow ${name} at a rate of ${rate}`;
    this.shares.replaceChildren();
    this.#current?.made.destroy();
    this.#current = undefined;
    const made = await trainee({ engine }, landscape, config, { start: cloud.starts });
    this.#current = { made, flowing: { optimizer: made.optimizer, cloud, basins } };
    await picture.take(this.#current.flowing);
    const show = async (step: number) => {
      await picture.drawCloud();
      this.progress.value = step / state.steps;
      this.#listeners.onStep(step);
      this.#page.say(`${what}: step ${step} of ${state.steps}`);
    };
    await this.#steps(engine, made, state.steps, show, signal);
    if (signal.aborted) return;
    this.#showShares(basins, (await made.optimizer.read())[pointsName]!);
    this.#page.say(`${what}: ${state.steps} steps done`);
    this.progress.value = 1;
  }

  /** Makes the steps frame by frame, as many in each as its time allows. */
  async #steps(
    { adapter }: Engine,
    made: Trainee,
    steps: number,
    show: (step: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const still = isStill();
    const budget = adapter.software ? softwareFrameMs : frameMs;
    if (!still) await show(0);
    let next = 1;
    for (let step = 0; step < steps && !signal.aborted; ) {
      await this.#page.visible();
      await this.#inputFirst.painted();
      // Where one processor both emulates the GPU and draws the page, the cloud waits while the start is dragged.
      if (adapter.software) await this.#listeners.released(signal);
      if (!still) await nextFrame();
      const began = performance.now();
      const some = Math.min(next, steps - step);
      await makeSteps(made, some, breathe);
      step += some;
      if (signal.aborted) return;
      const stepped = performance.now();
      if (!still || step === steps) await show(step);
      const drew = performance.now() - stepped;
      const most = still ? 256 : Math.ceil((steps * Math.max(frameMs, stepped - began + drew)) / leastMs);
      next = stepsOfFrame(some, stepped - began, Math.max(budget, drew), most);
    }
  }

  /** A map that draws on this device, in place of one on another. */
  async #mapOn(device: GPUDevice | null): Promise<LandscapeMap> {
    if (this.#drawn && this.#drawn.device === device) return this.#drawn.map;
    this.#drawn?.map.destroy();
    const map = device ? await createGpuMap(device) : createCpuMap();
    this.#drawn = { map, device };
    this.surfaces.replaceChildren(...map.canvases);
    await map.drawLines(this.#ground.landscape);
    return map;
  }

  /** Shows the share of the cloud's points at each end. */
  #showShares(basins: Basins, points: ArrayLike<number>): void {
    const { arrived, onTheWay, gone } = sharesOf(basins, points);
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const order = arrived
      .map((share, i) => ({ share, i }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share);
    const rest = order.slice(endColors).reduce((sum, { share }) => sum + share, 0);
    this.shares.replaceChildren(
      ...order.slice(0, endColors).map(({ share, i }) => {
        const [x, y] = basins.ends[i]!.map((value) => minus(short(clean(value))));
        const swatch = h("span", { class: "swatch" });
        return h("li", { class: `run-${endColor(i)}` }, swatch, `${percent(share)} at (${x}, ${y})`);
      }),
      ...(rest > 0 ? [h("li", {}, `${percent(rest)} at ${order.length - endColors} other minima`)] : []),
      ...(onTheWay > 0 ? [h("li", {}, `${percent(onTheWay)} still on the way`)] : []),
      ...(gone > 0 ? [h("li", {}, `${percent(gone)} gone`)] : []),
    );
  }
}

/** Replaces a 0 with rounding errors by 0. */
const clean = (value: number) => (Math.abs(value) < 1e-6 ? 0 : value);
