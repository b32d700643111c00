// Points on curves that can be dragged with the pointer or, once focused, moved with the arrow keys.
import { arrowOf } from "./arrows.ts";
import type { Curves } from "./curves.ts";
import { h } from "./elements.ts";

/** A point that can be moved. */
export interface Grip {
  readonly label: string;
  /** The name of its colour's class, such as "run-0". */
  readonly color: string;
  readonly x: number;
  readonly y: number;
  readonly movesX: boolean;
  readonly movesY: boolean;
  /** Called with its new place, in the curves' units. */
  put(x: number, y: number): void;
}

/** The distance that an arrow key moves, alone and with shift, as shares of the axes' spans. */
const [key, farKey] = [0.01, 0.1];

export class Handles {
  readonly #curves: Curves;
  readonly #layer = h("div", { class: "grips", role: "group", "aria-label": "movable points" });
  #grips: readonly Grip[] = [];
  #buttons: HTMLButtonElement[] = [];
  /** Puts the dragged point at its latest place in the next frame: there are more events than frames. */
  #pulled: (() => void) | undefined;

  constructor(curves: Curves) {
    this.#curves = curves;
    // With the role of a picture its contents could not be used.
    curves.element.setAttribute("role", "group");
    curves.element.append(this.#layer);
    curves.onDraw = () => this.#place();
  }

  /** Shows these in place of those before; a point that is being dragged stays in hand. */
  show(grips: readonly Grip[]): void {
    this.#grips = grips;
    while (this.#buttons.length < grips.length) {
      const button = this.#button(this.#buttons.length);
      this.#buttons.push(button);
      this.#layer.append(button);
    }
    for (const [i, { label, color, x, y, movesX, movesY }] of grips.entries()) {
      const button = this.#buttons[i]!;
      button.className = `grip ${color}`;
      button.dataset.moves = movesX && movesY ? "both" : movesX ? "x" : "y";
      const rate = Number(y.toPrecision(3));
      button.setAttribute("aria-label", `${label}, at step ${x}, rate ${rate}; arrow keys move it`);
      button.title = `${label}: step ${x}, rate ${rate}`;
    }
    // Those that stay are left alone: one of them may be in hand.
    for (const each of this.#buttons.splice(grips.length)) each.remove();
    this.#place();
  }

  #place(): void {
    for (const [i, { x, y }] of this.#grips.entries()) {
      const at = this.#curves.placeOf(x, y);
      const button = this.#buttons[i]!;
      button.hidden = at === undefined;
      if (at) button.style.translate = `${at[0].toFixed(1)}px ${at[1].toFixed(1)}px`;
    }
  }

  #put(index: number, x: number, y: number): void {
    const grip = this.#grips[index];
    if (grip) grip.put(grip.movesX ? x : grip.x, grip.movesY ? y : grip.y);
  }

  #button(index: number): HTMLButtonElement {
    const button = h("button", { type: "button" });
    const letGo = () => this.#curves.hold(false);
    button.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      button.focus();
      button.setPointerCapture(event.pointerId);
      this.#curves.hold(true);
    });
    button.addEventListener("pointermove", (event) => {
      if (!button.hasPointerCapture(event.pointerId)) return;
      const { left, top } = this.#curves.element.getBoundingClientRect();
      const at = this.#curves.valueAt(event.clientX - left, event.clientY - top);
      if (!at) return;
      if (!this.#pulled) {
        requestAnimationFrame(() => {
          this.#pulled?.();
          this.#pulled = undefined;
        });
      }
      this.#pulled = () => this.#put(index, ...at);
    });
    button.addEventListener("pointerup", letGo);
    button.addEventListener("pointercancel", letGo);
    button.addEventListener("keydown", (event) => {
      const way = arrowOf(event);
      const grip = this.#grips[index];
      const spans = this.#curves.spans();
      if (!way || !grip || !spans) return;
      event.preventDefault();
      const share = event.shiftKey ? farKey : key;
      const [across, up] = [Math.max(1, share * spans.x), share * spans.y];
      this.#put(index, grip.x + way[0] * across, grip.y + way[1] * up);
    });
    return button;
  }
}
