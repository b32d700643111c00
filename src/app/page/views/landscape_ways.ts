// The map's overlay: the paths of the rules from the start, which follows pointer and keys, and the place of each rule.
import { short } from "../../../base/short.ts";
import type { ScheduleShape } from "../../../lab/schedule_shapes.ts";
import { arrowOf } from "../arrows.ts";
import { h, minus, svg } from "../elements.ts";
import type { Page } from "../view.ts";
import type { State } from "./landscape_fields.ts";
import { type Ground, placeOf, racersOf, type Way, waysFrom } from "./landscape_runs.ts";

/** The map's side, in its own units. */
const side = 1000;

const dashes: Readonly<Record<ScheduleShape, string>> = {
  constant: "none",
  cosine: "12 5",
  linear: "3 4",
  warmupStableDecay: "14 4 3 4",
};

export class WayMap {
  readonly element: HTMLElement;
  /** Says where the pointer is, else what the map shows. */
  readonly caption = h("p", { class: "under" }, " ");
  readonly #page: Page<State>;
  readonly #found: (state: State, ground: Ground, ways: readonly Way[]) => void;
  readonly #overlay = svg("svg", { viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" });
  #ground: Ground | undefined;
  #state: State | undefined;
  #ways: readonly Way[] = [];
  /** The settings but for the start: paths that are being computed for others are stale. */
  #key = "";
  #isFinding = false;
  /** Whether a pointer holds the start. */
  #isHeld = false;
  #letGo = () => {};
  /** The place to which the start moves in the next frame: there are more events than frames. */
  #pulled: readonly [number, number] | undefined;

  /**
   * @param surfaces What the map shows below the paths.
   * @param found Called with new paths.
   */
  constructor(
    page: Page<State>,
    surfaces: HTMLElement,
    found: (state: State, ground: Ground, ways: readonly Way[]) => void,
  ) {
    this.#page = page;
    this.#found = found;
    const label = "map; arrow keys move the start";
    this.element = h(
      "div",
      { class: "map", tabindex: "0", role: "application", "aria-label": label },
      surfaces,
      this.#overlay,
    );
    this.#listen();
  }

  /** Follows a new state: the start moves at once, and is painted before its paths are computed. */
  async follow(state: State, ground: Ground): Promise<void> {
    this.#state = state;
    if (ground !== this.#ground) {
      this.#ground = ground;
      this.#ways = [];
      this.#showBox();
    }
    this.#showStart();
    this.#key = JSON.stringify({ ...state, start: "" });
    if (this.#isFinding) return;
    this.#isFinding = true;
    try {
      await this.#find();
    } finally {
      this.#isFinding = false;
    }
  }

  /** Shows the place of each rule after so many steps. */
  showDots(step: number): void {
    const dots = this.#overlay.querySelectorAll(".dot");
    for (const [i, { places }] of this.#ways.entries()) {
      const at = Math.min(2 * step, places.length - 2);
      const [x, y] = this.#at(places[at]!, places[at + 1]!);
      const isInside = Math.abs(x) < 2 * side && Math.abs(y) < 2 * side;
      dots[i]?.setAttribute("cx", isInside ? x.toFixed(1) : "-99");
      dots[i]?.setAttribute("cy", isInside ? y.toFixed(1) : "-99");
    }
  }

  /** Resolves once no pointer holds the start. */
  async released(signal: AbortSignal): Promise<void> {
    if (!this.#isHeld) return;
    await new Promise<void>((resolve) => {
      this.#letGo = resolve;
      signal.addEventListener("abort", () => resolve());
    });
  }

  /**
   * Computes and draws the paths of the latest state. A start that moves meanwhile has to wait, so that paths are drawn while it is
   * dragged; any other change begins anew.
   */
  async #find(): Promise<void> {
    const { closed } = this.#page;
    let found: State | undefined;
    while (found !== this.#state) {
      const [state, key] = [this.#state!, this.#key];
      const { landscape } = this.#ground!;
      await new Promise((resolve) => setTimeout(resolve));
      const made = await waysFrom({
        landscape,
        racers: racersOf(state.rules),
        schedules: state.schedule.split(",") as ScheduleShape[],
        times: state.times,
        steps: state.steps,
        start: placeOf(state.start, landscape),
        isStale: () => key !== this.#key || closed.aborted,
      });
      if (closed.aborted) return;
      if (!made) continue;
      found = state;
      this.#ways = made;
      this.#draw();
      this.#found(this.#state!, this.#ground!, made);
    }
  }

  /** Draws the ends, the paths from the start, and the place of each rule. */
  #draw(): void {
    const state = this.#state!;
    const names = racersOf(state.rules).map(({ name }) => name);
    const [x, y] = this.#at(...placeOf(state.start, this.#ground!.landscape));
    this.#overlay.replaceChildren(
      ...this.#ground!.basins.ends.map(([u, v]) => svg("path", { class: "end", d: cross(...this.#at(u, v)) })),
      ...this.#ways.flatMap((way) => {
        const index = names.indexOf(way.racer.name);
        if (index < 0) return [];
        const d = this.#pathOf(way.places);
        return [
          svg("path", { class: "halo", d }),
          svg("path", { class: `way run-${index}`, d, "stroke-dasharray": dashes[way.schedule] }),
        ];
      }),
      ...this.#ways.map(({ racer }) =>
        svg("circle", { class: `place dot run-${Math.max(0, names.indexOf(racer.name))}`, r: 9 }),
      ),
      svg("circle", { class: "start", cx: x.toFixed(1), cy: y.toFixed(1), r: 13 }),
    );
    this.showDots(state.steps);
  }

  #showStart(): void {
    const [x, y] = this.#at(...placeOf(this.#state!.start, this.#ground!.landscape));
    const circle = this.#overlay.querySelector(".start");
    circle?.setAttribute("cx", x.toFixed(1));
    circle?.setAttribute("cy", y.toFixed(1));
  }

  #showPlace(x: number, y: number): void {
    const height = short(this.#ground!.landscape.value([x, y]));
    this.caption.textContent = minus(`(${x.toFixed(2)}, ${y.toFixed(2)}), height ${height}`);
  }

  #showBox(): void {
    const [[left, right], [low, high]] = this.#ground!.landscape.domain;
    this.caption.textContent = minus(`x from ${left} to ${right}, y from ${low} to ${high}; ⨯ marks a minimum`);
  }

  /** A point of the landscape on the map. */
  #at(x: number, y: number): [x: number, y: number] {
    const [across, up] = this.#ground!.landscape.domain;
    return [((x - across[0]) / spanOf(across)) * side, (1 - (y - up[0]) / spanOf(up)) * side];
  }

  /** A line through places, up to the first far outside the picture. */
  #pathOf(places: readonly number[]): string {
    let path = "";
    for (let k = 0; k < places.length; k += 2) {
      const [x, y] = this.#at(places[k]!, places[k + 1]!);
      if (!(Math.abs(x) < 1e4 && Math.abs(y) < 1e4)) break;
      path += `${k === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    }
    return path;
  }

  /** The pointer's place on the landscape. */
  #placeUnder(event: PointerEvent): readonly [number, number] {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const within = (share: number) => Math.min(1, Math.max(0, share));
    const [across, up] = this.#ground!.landscape.domain;
    return [
      across[0] + within((event.clientX - left) / width) * spanOf(across),
      up[0] + (1 - within((event.clientY - top) / height)) * spanOf(up),
    ];
  }

  #moveStart(x: number, y: number): void {
    const digits = (value: number) => Number(value.toPrecision(4));
    this.#page.set({ start: `${digits(x)},${digits(y)}` });
  }

  #listen(): void {
    const map = this.element;
    map.addEventListener("pointerdown", (event) => {
      if (!this.#ground) return;
      map.setPointerCapture(event.pointerId);
      this.#isHeld = true;
      this.#moveStart(...this.#placeUnder(event));
    });
    map.addEventListener("pointermove", (event) => {
      if (!this.#ground) return;
      const at = this.#placeUnder(event);
      this.#showPlace(...at);
      if (!this.#isHeld) return;
      if (!this.#pulled) {
        requestAnimationFrame(() => {
          if (this.#pulled && !this.#page.closed.aborted) this.#moveStart(...this.#pulled);
          this.#pulled = undefined;
        });
      }
      this.#pulled = at;
    });
    const end = () => {
      this.#isHeld = false;
      this.#letGo();
    };
    map.addEventListener("pointerup", end);
    map.addEventListener("pointercancel", end);
    map.addEventListener("pointerleave", () => this.#ground && this.#showBox());
    map.addEventListener("keydown", (event) => {
      const way = arrowOf(event);
      if (!way || !this.#ground) return;
      event.preventDefault();
      const { landscape } = this.#ground;
      const [x, y] = placeOf(this.#page.state.start, landscape);
      const share = event.shiftKey ? 0.1 : 0.02;
      const [across, up] = landscape.domain;
      const at = [x + way[0] * share * spanOf(across), y + way[1] * share * spanOf(up)] as const;
      this.#moveStart(...at);
      this.#showPlace(...at);
    });
  }
}

const spanOf = ([low, high]: readonly [number, number]) => high - low;
const cross = (x: number, y: number) => `M${(x - 8).toFixed(1)} ${(y - 8).toFixed(1)}l16 16m0 -16l-16 16`;
