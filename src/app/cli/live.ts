// A table that changes while a command works: redrawn in place on a terminal, a line now and then where stderr is none that can be drawn on.
import { createLogUpdate } from "log-update";
import { canDraw } from "./streams.ts";

const redrawEvery = 100;
const lineEvery = 5000;

export class LiveTable {
  readonly #terminal = canDraw() ? createLogUpdate(process.stderr) : undefined;
  #shown = Number.NEGATIVE_INFINITY;

  /** Shows the table, or one line in its place, unless it has only just. */
  update(table: () => readonly string[], line: () => string): void {
    const now = performance.now();
    if (now - this.#shown < (this.#terminal ? redrawEvery : lineEvery)) return;
    this.#shown = now;
    if (this.#terminal) this.#terminal(table().join("\n"));
    else process.stderr.write(`${line()}\n`);
  }

  /** Takes the table off the terminal again. */
  stop(): void {
    this.#terminal?.clear();
    this.#terminal?.done();
  }
}
