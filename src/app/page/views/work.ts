// One piece of work at a time in a view, which a button stops.
import { DataError, FalllineError, OptionError } from "../../../base/errors.ts";
import { type Engine, engineLine } from "../../../train/engine.ts";
import { h } from "../elements.ts";
import { newEngine } from "../engine.ts";
import { openCpuWorker } from "../open_worker.ts";
import { runTask, type Task } from "../task.ts";
import type { Page } from "../view.ts";

export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Errors of what was asked, whatever the device. */
const isRefusal = (error: unknown) => error instanceof OptionError || error instanceof DataError;

/** Does something and shows its error, in place of the message before unless `keeps`. */
export type Attempt = (doing: () => Promise<void> | void, keeps?: boolean) => void;

export function attempting(page: Pick<Page<unknown>, "warn">): Attempt {
  return async (doing, keeps = false) => {
    if (!keeps) page.warn("");
    try {
      await doing();
    } catch (error) {
      page.warn(messageOf(error));
      if (!(error instanceof FalllineError)) throw error;
    }
  };
}

/** Runs a task of a view on an engine. */
export function perform<Given, L extends { readonly [K in keyof L]: (...given: never[]) => unknown }, Result>(
  task: Task<Given, L, Result>,
  given: Given,
  listeners: L,
  engine: Engine,
  signal: AbortSignal,
): Promise<Result> {
  return runTask(task, given, listeners, { engine, signal, open: openCpuWorker });
}

/** One piece of work at a time, which a button or the end of the view stops, and whose errors are shown. */
export class Work {
  readonly stopButton = h("button", { type: "button", id: "stop", disabled: true }, "stop");
  readonly #page: Page<unknown>;
  readonly #starters: readonly HTMLButtonElement[];

  /** @param starters The buttons that start work. */
  constructor(page: Page<unknown>, starters: readonly HTMLButtonElement[]) {
    this.#page = page;
    this.#starters = starters;
  }

  /** The same for work that can begin anew: once, on another engine, where its device is lost. */
  doAnew(work: (engine: Engine, signal: AbortSignal) => Promise<void>): Promise<void> {
    return this.do(async (engine, signal) => {
      try {
        await work(engine, signal);
      } catch (error) {
        if (signal.aborted || isRefusal(error) || !(await engine.lost?.())) throw error;
        this.#page.warn("the GPU device was lost; looking for another …");
        await newEngine();
        const next = await this.#page.engine();
        this.#page.warn(`the GPU device was lost; this restarted on ${engineLine(next)}`);
        signal.throwIfAborted();
        await work(next, signal);
      }
    });
  }

  async do(work: (engine: Engine, signal: AbortSignal) => Promise<void>): Promise<void> {
    const stop = new AbortController();
    this.#page.closed.addEventListener("abort", () => stop.abort());
    this.stopButton.onclick = () => stop.abort();
    this.stopButton.disabled = false;
    for (const button of this.#starters) button.disabled = true;
    this.#page.warn("");
    this.#page.say("starting …");
    let engine: Engine | undefined;
    try {
      engine = await this.#page.engine();
      await work(engine, stop.signal);
    } catch (error) {
      if (stop.signal.aborted && error === stop.signal.reason) return this.#page.say("stopped");
      const isLost = !isRefusal(error) && (await engine?.lost?.());
      this.#page.say(isLost ? "the GPU device was lost; start again to use another" : messageOf(error));
      if (!isLost && !(error instanceof FalllineError)) throw error;
    } finally {
      for (const button of this.#starters) button.disabled = false;
      this.stopButton.disabled = true;
    }
  }
}
