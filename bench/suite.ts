// What the benchmark measures and how: cases, the engines that compete in each, rounds that take turns, rows that come out.
// Runs in a page and in Node alike. An engine that does not load, answers otherwise than the reference, or loses its device
// gets a row that says so, and the others go on.
import { type Counts, countCalls } from "./counting.ts";

/** What is held against the reference before anything is timed. */
export interface Answer {
  /** The loss of each step from the first on. */
  readonly losses: readonly number[];
  /** The parameters after those steps. */
  readonly params: readonly Float32Array[];
}

/** An engine ready for a case, warm-up aside. */
export interface Runner {
  /** The device whose calls are counted; none for engines on the CPU. */
  readonly device?: GPUDevice;
  /** What a reader of the row should know. */
  readonly note?: string;
  /** Starts one step; resolves when the next may be started, which need not be when the GPU has finished it. */
  step(): void | Promise<void>;
  /** Resolves when every step that was started is finished on the device. */
  wait(): Promise<void>;
  /** Makes one step, waits for it, and tells the loss that it found before its update. */
  checkedStep(): Promise<number>;
  params(): Promise<readonly Float32Array[]>;
  /** What each kernel of a step takes by itself. */
  kernels?(): Promise<readonly KernelTime[]>;
  destroy(): void;
}

export interface Contender {
  readonly engine: string;
  load(): Promise<Runner>;
}

export interface Case {
  readonly suite: string;
  readonly name: string;
  /** Parameters and tensors. */
  readonly n: number;
  readonly tensors: number;
  /** Floating-point operations of a step's products. */
  readonly flops: number;
  /** The parameters before the first step. */
  readonly start: () => readonly Float32Array[];
  /** The first is the reference that the others' answers are held against. */
  readonly contenders: readonly Contender[];
  /** The engine whose row gets the ratios to all others. */
  readonly ours: string;
}

/** One dispatch of a step, run by itself again and again. */
export interface KernelTime {
  readonly kernel: string;
  readonly ms: number;
  /** Of the sum of all kernels. */
  readonly share: number;
  /** Of products alone. */
  readonly gflops: number | null;
}

/** What a case found of one engine. Counts are of one step; null stands where something has no meaning or was not measured. */
export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly engine: string;
  readonly n: number;
  readonly tensors: number;
  /** Median over the rounds of a step's wall time, in ms. */
  readonly ms: number | null;
  /** Between the quartiles, in ms. */
  readonly spread: number | null;
  readonly quartiles: readonly [number, number] | null;
  readonly paramsPerSecond: number | null;
  readonly gflops: number | null;
  readonly gbPerSecond: number | null;
  readonly dispatches: number | null;
  readonly passes: number | null;
  readonly submits: number | null;
  readonly bindGroups: number | null;
  /** Bytes that the host hands to the device. */
  readonly hostBytes: number | null;
  readonly bytesPerParam: number | null;
  readonly ratioToStream: number | null;
  /** In our row: each other engine's time by ours. */
  readonly ratioTo: Readonly<Record<string, number>>;
  /** Whether its losses and parameters agree with the reference's; null where they were not had. */
  readonly agrees: boolean | null;
  readonly kernels?: readonly KernelTime[];
  readonly note?: string;
  /** Why there is no time. */
  readonly error?: string;
}

export interface Result {
  readonly format: "fallline-bench/1";
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly software: boolean;
  };
  readonly browser: string;
  /** When the run began, ISO 8601. */
  readonly date: string;
  readonly quick: boolean;
  readonly rows: readonly Row[];
}

export interface SuiteOptions {
  /** Fewer and shorter rounds; default false. */
  readonly quick?: boolean;
  /** How many rounds at most; default 5 when quick, else 15. Slow cases make fewer, at least 3 or as many as asked. */
  readonly rounds?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** What is being done, and how far the case is. */
export interface Progress {
  readonly case: string;
  readonly doing: string;
  readonly done: number;
  readonly total: number;
  /** The rows of all cases that are finished. */
  readonly rows: readonly Row[];
}

/** Steps whose losses are compared; enough for the gradients to show in them. */
const checkedSteps = 3;

/** Beyond these an answer counts as another one; float32 itself is some 1e-6 off, a wrong rule 1e-1 and more. */
const tolerance = { loss: 1e-3, params: 0.02 } as const;

/** Rounds that even the slowest case makes, so that there is a median. */
const fewestRounds = 3;

/** An engine while its case runs. */
interface Entry {
  readonly contender: Contender;
  runner?: Runner;
  answer?: Answer;
  counts?: Counts | undefined;
  readonly times: number[];
  steps: number;
  kernels?: readonly KernelTime[];
  agrees: boolean | null;
  error?: string;
}

/** @throws the signal's reason when it is aborted; whatever was made is destroyed. */
export async function runCases(cases: readonly Case[], options: SuiteOptions = {}): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const each of cases) rows.push(...(await runCase(each, options, rows)));
  return rows;
}

async function runCase(of: Case, options: SuiteOptions, before: readonly Row[]): Promise<Row[]> {
  const { quick = false, signal, onProgress } = options;
  const rounds = options.rounds ?? (quick ? 5 : 15);
  const entries = of.contenders.map((contender): Entry => ({ contender, times: [], steps: 1, agrees: null }));
  const total = entries.length + rounds;
  const tell = (doing: string, done: number) => onProgress?.({ case: of.name, doing, done, total, rows: before });
  /** Tries something with an engine that has not failed yet; what it throws becomes its row's error. */
  const attempt = async (entry: Entry, work: (runner: Runner) => Promise<void>) => {
    signal?.throwIfAborted();
    if (!entry.runner || entry.error !== undefined) return;
    try {
      await work(entry.runner);
    } catch (error) {
      entry.error = messageOf(error);
    }
    await nextTask();
  };
  try {
    const reference = entries[0]!;
    for (const [i, entry] of entries.entries()) {
      const { engine, load } = entry.contender;
      tell(`${engine} loads`, i);
      await nextTask();
      try {
        entry.runner = await load();
        watch(entry);
      } catch (error) {
        entry.error = `${engine} does not load: ${messageOf(error)}`;
      }
      tell(`${engine} is checked`, i);
      await attempt(entry, async (runner) => {
        entry.answer = await answerOf(runner);
        if (!reference.answer) return;
        const difference = entry === reference ? undefined : compare(entry.answer, reference.answer, of.start());
        entry.agrees = difference === undefined;
        if (difference !== undefined)
          throw new Error(`it answers otherwise than the ${reference.contender.engine}: ${difference}`);
      });
      await attempt(entry, async (runner) => {
        const start = performance.now();
        entry.counts = await countStep(runner);
        const ms = performance.now() - start;
        entry.steps = Math.max(1, Math.min(100, Math.round((quick ? 100 : 400) / ms)));
      });
    }
    const end = performance.now() + (quick ? 12_000 : 120_000);
    for (let round = 0; round < rounds && (round < fewestRounds || performance.now() < end); round++) {
      // Who comes first changes from round to round.
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[(i + round) % entries.length]!;
        tell(`round ${round + 1} of ${rounds}: ${entry.contender.engine}`, entries.length + round);
        await attempt(entry, async (runner) => {
          entry.times.push(await time(runner, entry.steps));
        });
      }
    }
    for (const entry of entries) {
      await attempt(entry, async (runner) => {
        if (!runner.kernels) return;
        tell(`${entry.contender.engine}'s kernels, each by itself`, total);
        entry.kernels = await runner.kernels();
      });
    }
  } finally {
    for (const { runner } of entries) runner?.destroy();
  }
  return rowsOf(of, entries);
}

/** What goes wrong on a device outside any call goes into the engine's row. */
function watch(entry: Entry): void {
  const device = entry.runner?.device;
  device?.lost.then(({ reason, message }) => {
    if (reason !== "destroyed") entry.error ??= `its device was lost: ${message}`;
  });
  device?.addEventListener("uncapturederror", ({ error }) => {
    entry.error ??= `a GPU error that nobody caught: ${error.message}`;
  });
}

async function answerOf(runner: Runner): Promise<Answer> {
  const losses: number[] = [];
  for (let i = 0; i < checkedSteps; i++) losses.push(await runner.checkedStep());
  return { losses, params: await runner.params() };
}

/** How an answer differs from the reference's by more than rounding, or undefined. */
function compare(answer: Answer, reference: Answer, start: readonly Float32Array[]): string | undefined {
  for (const [i, loss] of answer.losses.entries()) {
    const expected = reference.losses[i]!;
    if (!(Math.abs(loss - expected) <= tolerance.loss * Math.abs(expected))) {
      return `a loss of ${loss.toPrecision(6)} instead of ${expected.toPrecision(6)} in step ${i + 1}`;
    }
  }
  // A single parameter may differ by a whole step where its gradient is next to zero; all of them together may not.
  let [off, moved] = [0, 0];
  for (const [t, expected] of reference.params.entries()) {
    const [found, from] = [answer.params[t]!, start[t]!];
    for (let i = 0; i < expected.length; i++) {
      off += (found[i]! - expected[i]!) ** 2;
      moved += (expected[i]! - from[i]!) ** 2;
    }
  }
  const share = Math.sqrt(off / moved);
  if (share <= tolerance.params) return undefined;
  return `its parameters are off by ${(100 * share).toPrecision(3)} % of how far they moved in ${answer.losses.length} steps`;
}

/** One step, and where it runs on a device what it asks of it. */
async function countStep(runner: Runner): Promise<Counts | undefined> {
  const step = async () => {
    await runner.step();
    await runner.wait();
  };
  if (!runner.device) {
    await step();
    return undefined;
  }
  const counting = countCalls(runner.device);
  try {
    return await counting.count(step);
  } finally {
    counting.stop();
  }
}

/** Milliseconds a step, over so many steps that are started one after the other and waited for once. */
async function time(runner: Runner, steps: number): Promise<number> {
  await runner.wait();
  const start = performance.now();
  for (let i = 0; i < steps; i++) await runner.step();
  await runner.wait();
  return (performance.now() - start) / steps;
}

function rowsOf({ suite, name, n, tensors, flops, ours }: Case, entries: readonly Entry[]): Row[] {
  const failed = (entry: Entry) => entry.error !== undefined || entry.times.length === 0;
  const peers = entries.filter((entry) => entry.contender.engine !== ours && !failed(entry));
  return entries.map((entry): Row => {
    const { contender, runner, times, counts, agrees, kernels, error } = entry;
    const ms = failed(entry) ? null : quantile(times, 0.5);
    const quartiles = ms === null ? null : ([quantile(times, 0.25), quantile(times, 0.75)] as const);
    const own = ms !== null && contender.engine === ours;
    return {
      suite,
      case: name,
      engine: contender.engine,
      n,
      tensors,
      ms,
      spread: quartiles && quartiles[1] - quartiles[0],
      quartiles,
      paramsPerSecond: ms && (1000 * n) / ms,
      gflops: ms && flops / ms / 1e6,
      gbPerSecond: null,
      dispatches: counts?.dispatches ?? null,
      passes: counts?.passes ?? null,
      submits: counts?.submits ?? null,
      bindGroups: counts?.bindGroups ?? null,
      hostBytes: counts ? counts.bytesWritten + counts.bytesMapped : null,
      bytesPerParam: null,
      ratioToStream: null,
      ratioTo: own
        ? Object.fromEntries(peers.map((peer) => [peer.contender.engine, quantile(peer.times, 0.5) / ms]))
        : {},
      agrees,
      ...(kernels && { kernels }),
      ...(runner?.note !== undefined && { note: runner.note }),
      ...(error !== undefined && { error }),
    };
  });
}

/** Between the two nearest of the sorted values, linearly. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at % 1) * (sorted[Math.ceil(at)]! - below);
}

export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!.replace(/\.+$/, "");
}

/** Lets the page paint between pieces of work that block it. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
