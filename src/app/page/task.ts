// Long-running tasks of views. On the GPU they run in the page, in slices; on the CPU reference in a worker, so that the page stays
// responsive. A task's arguments, reports and result can be copied between the two.
import { DataError, DeviceError, OptionError } from "../../base/errors.ts";
import { cpuEngine, type Engine } from "../../train/engine.ts";

/** Callbacks of a task by name, for reports and questions; questions are awaited. */
type Listeners<L> = { readonly [K in keyof L]: (...given: never[]) => unknown };

/** A long-running task. */
export interface Task<Given, L extends Listeners<L>, Result> {
  /** Its name for the worker. */
  readonly name: string;
  run(given: Given, listeners: L, engine: Engine, signal: AbortSignal): Promise<Result>;
}

/** A task of any types, for a worker that does not know them. */
export interface AnyTask {
  readonly name: string;
  run(given: unknown, listeners: never, engine: Engine, signal: AbortSignal): Promise<unknown>;
}

export function defineTask<Given, L extends Listeners<L>, Result>(task: Task<Given, L, Result>): typeof task {
  return task;
}

/** Either end of a channel: a worker, a worker's global scope, or a port. */
export interface Channel {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** A message from the page to a worker. */
type Order =
  | { readonly type: "start"; readonly task: string; readonly given: unknown }
  | { readonly type: "answer"; readonly id: number; readonly answer: unknown }
  | { readonly type: "stop" };

/** A message from a worker to its page. */
type Word =
  | { readonly type: "call"; readonly id: number; readonly name: string; readonly given: readonly unknown[] }
  | { readonly type: "done"; readonly result: unknown }
  | { readonly type: "failed"; readonly name: string; readonly message: string };

/** Runs a task where its engine is: in the page, or in a worker that `open` makes and that ends with it. */
export async function runTask<Given, L extends Listeners<L>, Result>(
  task: Task<Given, L, Result>,
  given: Given,
  listeners: L,
  { engine, signal, open }: { readonly engine: Engine; readonly signal: AbortSignal; open(): Worker },
): Promise<Result> {
  if (engine.backend === "webgpu") return task.run(given, listeners, engine, signal);
  const worker = open();
  try {
    return await new Promise<Result>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(`the worker ended: ${message || "it could not be loaded"}`));
      callTask(worker, task, given, listeners, signal).then(resolve, reject);
    });
  } finally {
    worker.terminate();
  }
}

/** Runs a task at the other end of a channel. @throws The task's error, or the signal's reason if that stopped it. */
export function callTask<Given, L extends Listeners<L>, Result>(
  channel: Channel,
  { name }: Task<Given, L, Result>,
  given: Given,
  listeners: L,
  signal: AbortSignal,
): Promise<Result> {
  // The other end knows them only by name.
  const byName = listeners as unknown as Readonly<Record<string, (...given: readonly unknown[]) => unknown>>;
  const send = (order: Order) => channel.postMessage(order);
  return new Promise<Result>((resolve, reject) => {
    async function answer({ id, name, given }: Extract<Word, { type: "call" }>): Promise<void> {
      send({ type: "answer", id, answer: await byName[name]!(...given) });
    }
    channel.addEventListener("message", ({ data }) => {
      const word = data as Word;
      if (word.type === "call") answer(word).catch(reject);
      else if (word.type === "done") resolve(word.result as Result);
      else reject(signal.aborted && word.name === "AbortError" ? signal.reason : errorOf(word.name, word.message));
    });
    signal.addEventListener("abort", () => send({ type: "stop" }));
    send({ type: "start", task: name, given });
    if (signal.aborted) send({ type: "stop" });
  });
}

/** Runs the tasks that the other end of a channel requests, on the CPU reference. */
export function serveTasks(channel: Channel, tasks: readonly AnyTask[]): void {
  const stop = new AbortController();
  const asked = new Map<number, (answer: unknown) => void>();
  const send = (word: Word) => channel.postMessage(word);
  const listeners = new Proxy(
    {},
    {
      get:
        (_, name) =>
        (...given: readonly unknown[]) => {
          const id = asked.size === 0 ? 0 : Math.max(...asked.keys()) + 1;
          return new Promise((resolve) => {
            asked.set(id, resolve);
            send({ type: "call", id, name: String(name), given });
          });
        },
    },
  ) as never;
  async function start(name: string, given: unknown): Promise<void> {
    try {
      const task = tasks.find((each) => each.name === name)!;
      send({ type: "done", result: await task.run(given, listeners, cpuEngine(), stop.signal) });
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
      send({ type: "failed", name, message });
    }
  }
  channel.addEventListener("message", ({ data }) => {
    const order = data as Order;
    if (order.type === "start") void start(order.task, order.given);
    else if (order.type === "stop") stop.abort();
    else {
      asked.get(order.id)?.(order.answer);
      asked.delete(order.id);
    }
  });
}

function errorOf(name: string, message: string): Error {
  const kinds: Readonly<Record<string, new (message: string) => Error>> = { OptionError, DataError, DeviceError };
  return new (Object.hasOwn(kinds, name) ? kinds[name]! : Error)(message);
}
