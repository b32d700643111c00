// The display of a running sweep or search: a table with the state of every run, then the progress of the test.
import type { Dataset } from "../../objectives/data/dataset.ts";
import { interruptible } from "./interrupt.ts";
import { LiveTable } from "./live.ts";
import { Bars } from "./progress.ts";

/** What a race displays itself with. */
export interface RaceDisplay {
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  readonly table: LiveTable;
  /** Called with how many rows of the test set are done. */
  readonly onTest: (rows: number) => void;
}

/**
 * Runs a race with its display, which is removed from the terminal however the race ends; then `close` with its result. A first
 * interrupt does not end `close` either.
 */
export function showRace<T>(
  test: Dataset | undefined,
  race: (display: RaceDisplay) => Promise<T>,
  close: (result: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const table = new LiveTable();
  const bars = new Bars();
  let testing = false;
  const onTest = (rows: number) => {
    if (!testing) {
      table.stop();
      bars.start("testing", test?.count ?? 0, "examples");
    }
    testing = true;
    bars.update(rows);
  };
  return interruptible("stopping after the current steps", async (signal) => {
    const result = await race({ signal, table, onTest }).finally(() => {
      table.stop();
      bars.stop();
    });
    await close(result, signal);
  });
}
