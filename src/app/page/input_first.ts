// Input before work: changes by a key or the pointer are painted before the next piece of work starts, so that the page responds
// quickly even where one processor both draws the page and emulates the GPU.

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

  /** Resolves at once, or as soon as the page has painted the changes of the last input. */
  async painted(): Promise<void> {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    await new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  }
}
