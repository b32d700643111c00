// Input before work: what a key or the pointer changed is painted before the next piece of work begins, so that the page answers soon
// even where one processor draws the page and does the work of the GPU.

const kinds = ["keydown", "pointerdown", "input"] as const;

export class InputFirst {
  #isWaiting = false;

  constructor(closed: AbortSignal) {
    for (const kind of kinds) {
      addEventListener(
        kind,
        () => {
          this.#isWaiting = true;
        },
        { capture: true, passive: true, signal: closed },
      );
    }
  }

  /** Resolves at once, or once the page has painted what the last input changed. */
  async painted(): Promise<void> {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    await new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  }
}
