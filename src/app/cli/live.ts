// A table that changes while a command works: redrawn in place on a terminal; elsewhere a line on stderr now and then.
import { createLogUpdate } from "log-update";
import { canDraw } from "./streams.ts";

const redrawEvery = 100;
const lineEvery = 2000;

export class LiveTable {
  readonly #terminal = canDraw() ? createLogUpdate(process.stderr) : undefined;
  #shown = Number.NEGATIVE_INFINITY;

  /** Shows the table, or one line in its place, unless that was done only just now. */
  update(table: () => readonly string[], line: () => string): void {
    const now = performance.now();
    if (now - this.#shown < (this.#terminal ? redrawEvery : lineEvery)) return;
    this.#shown = now;
    if (this.#terminal) this.#terminal(table().join("\n"));
    else process.stderr.write(`${line()}\n`);
  }

  /** Removes the table from the terminal. */
  stop(): void {
    this.#terminal?.clear();
    this.#terminal?.done();
  }
}
