// The cascade: the values to which descent settles, by its rate, drawn point by point as the GPU steps all rates at once. The range
// of a rectangle drawn over it is recomputed.
import { number, whole } from "../../../lab/experiments/experiment.ts";
import { breathe } from "../../../objectives/turns.ts";
import { Curves, type CurvesOptions } from "../curves.ts";
import { h } from "../elements.ts";
import { field, type State } from "../fields.ts";
import { defineView, type Page } from "../view.ts";
import { CascadePicture, columns, type Range } from "./cascade_picture.ts";
import { cascade, periodOf } from "./cascade_runs.ts";
import { Work } from "./work.ts";

const wholePicture = { from: 2.8, to: 4, low: 0, high: 1 } as const;
const r = { min: 1.0001, max: 4 } as const;
const y = { min: -0.5, max: 1.5 } as const;
const fields = {
  from: field("r from", number("the lowest r, which is 1 + the rate", wholePicture.from, r)),
  to: field("to", number("the highest r", wholePicture.to, r)),
  low: field("value from", number("the lowest value drawn", wholePicture.low, y)),
  high: field("to", number("the highest value drawn", wholePicture.high, y)),
  settle: field("steps to settle", whole("steps before anything is drawn", 1000, { min: 1, max: 20_000 })),
  samples: field("steps to draw", whole("steps that are drawn", 256, { min: 16, max: 4000 })),
};
type CascadeState = State<typeof fields>;

/** How many values of each rate are kept to find the length of its cycle. */
const remembered = 34;
/** The smallest range that float32 can resolve. */
const narrowest = 1e-5;

export const view = defineView({
  name: "cascade",
  title: "From rest to chaos",
  about:
    "Descent on x³/3 − x²/2 is the logistic map: its rate alone decides where it ends. Up to r = 1 + lr = 3 it comes to rest; then " +
    "it jumps between 2 values, 4, 8 …, at rates that close up by a factor of 4.669, until nothing repeats. Each column is a " +
    "rate, each dot a value that it takes after settling. Draw a rectangle to zoom in: it is recomputed.",
  formula: "y_{t + 1} = r · y_t · ( 1 − y_t )",
  question: "Zoom into the window near r = 3.83: how many values are there, and what happens to each at its right end?",
  fields,
  open: (root, page) => openCascade(root, page as Page<CascadeState>),
});

const exponentCurves: CurvesOptions = {
  title: "The Lyapunov exponent by r: below 0 it settles, above 0 it is chaotic",
  empty: "the Lyapunov exponent by r, once all steps are drawn: below 0 it settles, above 0 it is chaotic",
  x: "r",
  y: "Lyapunov exponent",
  curves: [
    { label: "exponent", color: "run-0", width: 1 },
    { label: "0", color: "soft", width: 1, dash: [4, 4] },
  ],
  height: 14,
};

function openCascade(root: HTMLElement, page: Page<CascadeState>) {
  const picture = new CascadePicture({
    over(across, up) {
      under.textContent = drawn && across !== null && up !== null ? placeText(drawn, across, up) : " ";
    },
    chosen: (left, top, right, bottom) => page.set(partOf(drawn!, left, top, right, bottom)),
  });
  const found = h("p", { class: "found", id: "doublings" });
  const under = h("p", { class: "under" }, " ");
  const progress = h("progress", { value: 0, max: 1, "aria-label": "progress" });
  const exponents = new Curves(exponentCurves, page.closed);
  const again = h("button", { type: "button", class: "primary", id: "draw", onclick: () => draw() }, "draw");
  const work = new Work(page, [again]);
  const go = (range: Partial<CascadeState>) => page.set(range);
  const zoom = (factor: number) => {
    const { from, to } = page.state;
    const [middle, half] = [(from + to) / 2, (factor * (to - from)) / 2];
    go({ from: Math.max(r.min, middle - half), to: Math.min(r.max, middle + half) });
  };
  const button = (text: string, onclick: () => void) => h("button", { type: "button", onclick }, text);
  root.append(
    h(
      "div",
      { class: "row" },
      again,
      work.stopButton,
      button("whole", () => go(wholePicture)),
      button("closer", () => zoom(0.5)),
      button("wider", () => zoom(2)),
      button("doublings", () => go({ from: 3.4, to: 3.6, low: 0.3, high: 0.95 })),
      button("window of 3", () => go({ from: 3.82, to: 3.86, low: 0.1, high: 1 })),
    ),
    progress,
    h("div", { class: "card" }, picture.element, under, found, exponents.element),
  );

  let drawn: CascadeState | undefined;
  let stop: AbortController | undefined;
  let soon: ReturnType<typeof setTimeout> | undefined;

  /** Draws the range of the fields, in place of the current drawing. */
  async function draw(): Promise<void> {
    const state = page.state;
    if (!(state.to - state.from >= narrowest && state.high - state.low >= narrowest)) {
      return page.warn(
        `r goes from ${state.from} to ${state.to} and the value from ${state.low} to ${state.high}; both must rise by at least ${narrowest}`,
      );
    }
    drawn = state;
    stop?.abort();
    const mine = new AbortController();
    stop = mine;
    picture.announce(state);
    await idle;
    if (mine.signal.aborted || page.closed.aborted) return;
    idle = work.doAnew((engine, signal) => sample(state, engine, AbortSignal.any([signal, mine.signal])));
    await idle;
  }
  let idle: Promise<void> = Promise.resolve();

  async function sample(
    range: CascadeState,
    engine: Parameters<typeof cascade>[0]["engine"],
    signal: AbortSignal,
  ): Promise<void> {
    const { from, to, settle, samples } = range;
    picture.clear();
    const rates = Array.from({ length: columns }, (_, i) => from + ((to - from) * (i + 0.5)) / columns);
    const late: number[][] = rates.map(() => []);
    let shownAt = 0;
    found.textContent = "";
    page.say("settling …");
    try {
      const lyapunov = await cascade({
        engine,
        rates,
        settle,
        samples,
        signal,
        onSettle(done) {
          progress.value = done / 2;
        },
        onSample(values, count) {
          picture.add(values, range);
          if (count > samples - remembered) for (const [i, value] of values.entries()) late[i]!.push(value);
          progress.value = 0.5 + count / samples / 2;
          if (performance.now() - shownAt < 60 && count < samples) return;
          shownAt = performance.now();
          page.say(`${count} of ${samples} steps of ${columns} rates drawn`);
          picture.paint(samples);
        },
        async turn() {
          await page.visible();
          await breathe();
        },
      });
      picture.paint(samples);
      exponents.draw([rates, [...lyapunov].map((value) => Math.max(-2, value)), rates.map(() => 0)]);
      const doublings = doublingsOf(rates, late);
      found.textContent = doublings.length > 0 ? `Found here: ${doublings.join(", ")}.` : "";
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  page.closed.addEventListener("abort", () => stop?.abort());

  return {
    update(state: CascadeState) {
      page.warn("");
      clearTimeout(soon);
      soon = setTimeout(() => state === page.state && draw(), drawn ? 250 : 0);
    },
    recolor() {
      picture.paint(drawn?.samples ?? 0);
      exponents.recolor();
    },
  };
}

/** The rate and the value at a place of the picture. */
function placeText({ from, to, low, high }: Range, across: number, up: number): string {
  return `r = ${(from + across * (to - from)).toPrecision(7)}, value ${(high - up * (high - low)).toPrecision(5)}`;
}

/** The range of a rectangle in the picture. */
function partOf({ from, to, low, high }: Range, left: number, top: number, right: number, bottom: number): Range {
  const [width, height] = [to - from, high - low];
  return {
    from: Number((from + left * width).toPrecision(8)),
    to: Number((from + right * width).toPrecision(8)),
    low: Number((high - bottom * height).toPrecision(6)),
    high: Number((high - top * height).toPrecision(6)),
  };
}

/** The rate at which each longer cycle is first seen. */
function doublingsOf(rates: readonly number[], late: readonly (readonly number[])[]): readonly string[] {
  const periods = late.map(periodOf);
  const digits = Math.max(3, Math.ceil(-Math.log10(rates[1]! - rates[0]!)) + 1);
  return [2, 4, 8, 16].flatMap((period) => {
    const first = periods.indexOf(period);
    // A cycle at the picture's edge may start outside.
    return first <= 0 || periods[first - 1] === undefined
      ? []
      : [`a cycle of ${period} from r = ${rates[first]!.toFixed(digits - 1)} on`];
  });
}
