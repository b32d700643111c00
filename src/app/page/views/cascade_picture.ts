// The picture of the cascade: how often each rate takes each value, with marks at rates that are known, and a rectangle that is drawn
// over it to zoom in.
import { h } from "../elements.ts";
import { channelsOf, color } from "../looks.ts";
import { landmarks } from "./cascade_runs.ts";

/** Columns of the picture, one for each rate, and its rows. */
export const columns = 1024;
const rows = 560;

/** The range of a picture: of the rates across, and of the values up. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly low: number;
  readonly high: number;
}

export class CascadePicture {
  readonly element: HTMLElement;
  readonly #canvas = h("canvas", { width: columns, height: rows, class: "picture", tabindex: "0", role: "img" });
  readonly #context = this.#canvas.getContext("2d")!;
  readonly #marks = h("div", { class: "marks" });
  #counts = new Uint32Array(columns * rows);

  constructor(pointer: Pointer) {
    const box = h("div", { class: "selection", hidden: true });
    this.element = h("div", { class: "framed" }, this.#canvas, this.#marks, box);
    followPointer(this.#canvas, box, pointer);
  }

  /** Names another range, and marks the rates in it at which cycles are known to start. */
  announce({ from, to }: Range): void {
    this.#canvas.setAttribute("aria-label", `What descent settles to for r from ${from} to ${to}`);
    const marks = landmarks.flatMap(({ name, at }) => {
      if (at <= from || at >= to) return [];
      const mark = h("span", { class: "mark" }, h("small", {}, name, h("span", { class: "at" }, `: ${at}`)));
      mark.style.left = `${(100 * (at - from)) / (to - from)}%`;
      return [mark];
    });
    this.#marks.replaceChildren(...marks);
  }

  clear(): void {
    this.#counts = new Uint32Array(columns * rows);
  }

  /** Counts a value of each rate. */
  add(values: ArrayLike<number>, { low, high }: Range): void {
    for (let i = 0; i < columns; i++) {
      const row = Math.floor(((high - values[i]!) / (high - low)) * rows);
      if (row >= 0 && row < rows) this.#counts[row * columns + i]!++;
    }
  }

  /** @param samples How many values of each rate are counted in the end: the more, the fainter is one. */
  paint(samples: number): void {
    const [ink, card] = [channelsOf(color("run-0")), channelsOf(color("card"))];
    const image = this.#context.createImageData(columns, rows);
    const most = Math.log1p(Math.max(8, samples / 8));
    for (const [i, count] of this.#counts.entries()) {
      const share = count === 0 ? 0 : Math.min(1, 0.35 + (0.65 * Math.log1p(count)) / most);
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = card[k]! + share * (ink[k]! - card[k]!);
      image.data[4 * i + 3] = 255;
    }
    this.#context.putImageData(image, 0, 0);
  }
}

interface Pointer {
  /** Called with the pointer's place, as shares of the element from its top left corner; null once it has left. */
  over(across: number | null, up: number | null): void;
  /** Called with a rectangle that was drawn. */
  chosen(left: number, top: number, right: number, bottom: number): void;
}

/** Lets rectangles be drawn over an element; `box` shows one while it is drawn. */
function followPointer(element: HTMLElement, box: HTMLElement, { over, chosen }: Pointer): void {
  let from: readonly [number, number] | undefined;
  const placeOf = (event: PointerEvent): readonly [number, number] => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const within = (share: number) => Math.min(1, Math.max(0, share));
    return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
  };
  const rectangle = ([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]) =>
    [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)] as const;
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    from = placeOf(event);
  });
  element.addEventListener("pointermove", (event) => {
    const at = placeOf(event);
    over(...at);
    if (!from) return;
    const [left, top, right, bottom] = rectangle(from, at);
    box.hidden = false;
    box.style.inset = `${100 * top}% ${100 * (1 - right)}% ${100 * (1 - bottom)}% ${100 * left}%`;
  });
  const end = (event: PointerEvent, isChosen: boolean) => {
    if (!from) return;
    const [left, top, right, bottom] = rectangle(from, placeOf(event));
    from = undefined;
    box.hidden = true;
    // A smaller rectangle is a click.
    if (isChosen && right - left > 0.02 && bottom - top > 0.02) chosen(left, top, right, bottom);
  };
  element.addEventListener("pointerup", (event) => end(event, true));
  element.addEventListener("pointercancel", (event) => end(event, false));
  element.addEventListener("pointerleave", () => over(null, null));
}
