// The measurements of the benchmark: cases, the engines that compete in each, rounds in turns, and the resulting rows. Runs in a
// page and in Node alike. An engine that does not load, answers wrongly or loses its device gets a row that says so, and the
// others go on.

import { nudged } from "../src/engines/gpu/nudge.ts";
import { type Counts, countCalls } from "./counting.ts";
import { submitPass } from "./device.ts";

/** An engine's answer, compared with the expected one before any timing. */
export interface Answer {
  /** The loss of each checked step from the first, or the norm of a gradient: whatever the case's {@link Case.number} names. */
  readonly numbers: readonly number[];
  /** The values after those steps: parameters, or the samples of them that the case needs. */
  readonly values: readonly Float32Array[];
}

/** An engine ready for a case, warm-up aside. */
export interface Runner {
  /** The device whose calls are counted; none for engines on the CPU. */
  readonly device?: GPUDevice;
  /** A remark for readers of the row. */
  readonly note?: string;
  /** Bytes that a step reads and writes in the device's memory; default the bytes bound by its dispatches. */
  readonly bytes?: number;
  /** Work that each step needs but that is not part of it: done before it, neither timed nor counted. */
  prepare?(): Promise<void>;
  /** Starts one step; resolves when the next may start, which may be before the GPU has finished it. */
  step(): void | Promise<void>;
  /** Resolves when every step started so far is finished on the device. */
  wait(): Promise<void>;
  /** The answer of {@link checkedSteps} steps from the start; called before any other step. None for physical references. */
  answer?(): Promise<Answer>;
  /** Milliseconds per step, for runners that time only a part of it; default the wall clock around this many steps. */
  time?(steps: number): Promise<number>;
  /** Puts one step into a pass, if a step is part of one. */
  encode?(pass: GPUComputePassEncoder): void;
  /** Starts several steps in one call: their number, and the call; for engines without {@link encode} that can. */
  readonly together?: { readonly steps: number; start(): void | Promise<void> };
  /** Milliseconds per step by the device's own timestamps, over this many steps; if the device offers them. */
  gpuTime?(steps: number): Promise<number>;
  /** The time of each kernel of a step on its own. */
  kernels?(): Promise<readonly KernelTime[]>;
  /** Frees everything that the runner made; it does not own the device. */
  destroy(): void;
}

/** A runner whose step is a part of a pass. */
export type PassRunner = Runner & Required<Pick<Runner, "device" | "encode">>;

export interface Contender {
  readonly engine: string;
  load(): Promise<Runner>;
}

/**
 * The runs that include a case: `quick` all of them, `full` all but quick ones, `every` those that select every case or this one
 * by name.
 */
export type Tier = "quick" | "full" | "every";

export interface Case {
  readonly suite: string;
  readonly name: string;
  readonly tier: Tier;
  /** Parameters and tensors. */
  readonly n: number;
  readonly tensors: number;
  /** Floating-point operations of a step's products. */
  readonly flops?: number;
  /** The answer required of every engine, made by an independent reference; undefined if there is none. */
  readonly expected?: () => Promise<Answer>;
  /** The answer's values before the first step: differences are relative to how far the values moved. */
  readonly start?: () => readonly Float32Array[];
  /** The meaning of {@link Answer.numbers}; default "loss". */
  readonly number?: string;
  readonly tolerance?: Tolerance;
  readonly contenders: readonly Contender[];
  /** The engine whose row gets the ratios to all others. */
  readonly ours: string;
  /** Always measured as briefly as in a quick run. */
  readonly brief?: boolean;
  /** One turn of one step without any before it: the measured event happens once. Such a step is not counted. */
  readonly once?: boolean;
  /** The contender whose step is also a unit for the others' times. */
  readonly unit?: string;
  /** The measured time is a delay, independent of the amount of work: rows have no parameters or bytes per second. */
  readonly delay?: boolean;
  /** Whether a step's own time is separated from that of a submission and a wait: rows have {@link Row.launch}. */
  readonly launch?: boolean;
}

/** Larger differences make an answer wrong. */
export interface Tolerance {
  /** Relative, for each number. */
  readonly number: number;
  /**
   * For all values together: their error relative to how far they moved, both as root mean squares. A single array may be off by
   * five times as much.
   */
  readonly values: number;
  /** For each value: its error relative to the root mean square movement in its array; default: not checked. */
  readonly each?: number;
}

/** One dispatch of a step, run on its own again and again. */
export interface KernelTime {
  readonly kernel: string;
  readonly ms: number;
  /** Relative to the sum of all kernels. */
  readonly share: number;
  /** Only for products. */
  readonly gflops: number | null;
}

/** The measurements of one engine in a case. Counts are per step; null means not applicable or not measured. */
export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly engine: string;
  readonly n: number;
  readonly tensors: number;
  /** Median over the rounds of a step's wall time, in ms. */
  readonly ms: number | null;
  /** Interquartile range, in ms. */
  readonly spread: number | null;
  /** The same by the device's timestamps, if it offers them. */
  readonly gpuMs: number | null;
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
  /** Bytes that a step reads and writes in the device's memory. */
  readonly bytesPerParam: number | null;
  /**
   * Its time relative to the kernel that moves the bytes of a bare update (reads parameters, gradients and slots, writes
   * parameters and slots) with the least arithmetic: extra reads for clipping and sums count against it.
   */
  readonly ratioToStream: number | null;
  /** Its time relative to the case's {@link Case.unit}. */
  readonly units: number | null;
  /** In our row: each other engine's time relative to ours. */
  readonly ratioTo: Readonly<Record<string, number>>;
  /** Size of a file, gzipped; only in the suite "size". */
  readonly bytes: number | null;
  /** Whether its answer is as expected; null if there was none. */
  readonly agrees: boolean | null;
  readonly kernels?: readonly KernelTime[];
  /** For cases with {@link Case.launch}. */
  readonly launch?: Launch;
  readonly note?: string;
  /** Why there is no time. */
  readonly error?: string;
}

/**
 * A step's own time, apart from the overhead of submission: a turn of N steps takes intercept + N · slope, from turns of many and
 * of few steps.
 */
export interface Launch {
  /** Steps of a long turn, and of a short one. */
  readonly steps: readonly [many: number, few: number];
  /** Time of one more step, each submitted on its own, in ms. */
  readonly slopeMs: number;
  /** Time of a turn besides its steps: until the device starts, and until the host learns of the end; in ms. */
  readonly interceptMs: number;
  /** Time per step when many are one call: one pass in one submission, or one jitted function; in ms. Null if the engine cannot. */
  readonly togetherMs: number | null;
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
  /** The precision of the device's timestamps; null if it offers none. */
  readonly timestamps: Timestamps | null;
  readonly rows: readonly Row[];
  /** Why cases are missing. */
  readonly incomplete?: string;
}

export interface Timestamps {
  /** The smallest difference, in ms; browsers round them, so that pages cannot spy on each other. */
  readonly quantumMs: number;
}

export interface SuiteOptions {
  /** Fewer and shorter rounds; default false. */
  readonly quick?: boolean;
  /**
   * The most rounds; default 5 when quick, else 9. Slow cases make fewer, but at least 3, or the number asked for if that is
   * less. With 0, answers are checked and steps counted, and nothing is timed.
   */
  readonly rounds?: number;
  readonly signal?: AbortSignal;
  /** Awaited before an engine loads, and before each of its turns: a run pauses here. */
  readonly turn?: () => Promise<void>;
  readonly onProgress?: (progress: Progress) => void;
}

/** The current activity, and the progress of the case and of the run. */
export interface Progress {
  readonly case: string;
  readonly doing: string;
  readonly done: number;
  readonly total: number;
  /** Finished cases, and all cases of the run. */
  readonly casesDone: number;
  readonly cases: number;
  /** The rows of all finished cases. */
  readonly rows: readonly Row[];
}

/** Steps that are compared; enough for gradients and both moments to show in them. */
export const checkedSteps = 3;

/** Float32 itself is off by about 1e-6, a wrong rule by 1e-1 and more. */
const defaultTolerance: Tolerance = { number: 1e-3, values: 0.02 };

/** The length of a case's measurement: rounds, ms of one engine's turn, ms of all rounds unless the fewest take longer. */
interface Effort {
  readonly rounds: number;
  readonly turnMs: number;
  readonly mostMs: number;
}
const brief: Effort = { rounds: 5, turnMs: 50, mostMs: 1_500 };
const thorough: Effort = { rounds: 9, turnMs: 200, mostMs: 40_000 };

/** Rounds that even the slowest case makes, so that there is a median. */
const fewestRounds = 3;

/** From here on, a step's GPU time is measured once. */
const slowStepMs = 500;

/** The most steps of one turn: a queue's contents must stay bounded. */
const mostSteps = 200;

/** The engine of the ratios to the stream. */
const stream = "stream";

/** An engine during its case. */
interface Entry {
  readonly contender: Contender;
  runner?: Runner;
  counts?: Counts | undefined;
  readonly times: number[];
  /** Times of short turns, and of steps in one call. */
  readonly fewTimes: number[];
  readonly togetherTimes: number[];
  readonly gpuTimes: number[];
  /** In turns. */
  spentMs: number;
  steps: number;
  kernels?: readonly KernelTime[];
  agrees: boolean | null;
  error?: string;
}

/** A value that is made when it is first asked for. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** @throws the signal's reason when it is aborted; everything made so far is destroyed. */
export async function runCases(cases: readonly Case[], options: SuiteOptions = {}): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [i, each] of cases.entries()) {
    const report = (doing: string, done: number, total: number) =>
      options.onProgress?.({ case: each.name, doing, done, total, casesDone: i, cases: cases.length, rows });
    rows.push(...(await runCase(each, options, report)));
  }
  return rows;
}

async function runCase(
  of: Case,
  { quick = false, rounds: asked, signal, turn }: SuiteOptions,
  reportOf: (doing: string, done: number, total: number) => void,
): Promise<Row[]> {
  const effort = quick || of.brief ? brief : thorough;
  const rounds = of.once ? 1 : (asked ?? effort.rounds);
  const entries = of.contenders.map(
    (contender): Entry => ({
      ...{ contender, times: [], fewTimes: [], togetherTimes: [], gpuTimes: [] },
      ...{ spentMs: 0, steps: 1, agrees: null },
    }),
  );
  const total = 1 + entries.length + rounds;
  const report = (doing: string, done: number) => reportOf(doing, done, total);
  const watching = new Watching(entries);
  /** Tries something with an engine that has not failed yet; an exception becomes its row's error. */
  const attempt = async (entry: Entry, work: (runner: Runner) => Promise<void>) => {
    await turn?.();
    signal?.throwIfAborted();
    if (!entry.runner || entry.error !== undefined) return;
    watching.turn = entry;
    try {
      await nudged(entry.runner.device, work(entry.runner));
    } catch (error) {
      entry.error ??= messageOf(error);
    }
    // A device may report events one task later.
    await nextTask();
  };
  try {
    report("computing the reference", 0);
    await nextTask();
    const expected = await expectedOf(of);
    for (const [i, entry] of entries.entries()) {
      const { engine, load } = entry.contender;
      await turn?.();
      signal?.throwIfAborted();
      report(`loading ${engine}`, 1 + i);
      await nextTask();
      watching.turn = entry;
      try {
        entry.runner = await load();
        watching.add(entry);
      } catch (error) {
        entry.error = `${engine} does not load: ${messageOf(error)}`;
      }
      report(`checking ${engine}`, 1 + i);
      await attempt(entry, async (runner) => {
        if (!expected || !runner.answer) return;
        if ("error" in expected) throw new Error(expected.error);
        const difference = compare(of, await runner.answer(), expected);
        entry.agrees = difference === undefined;
        if (difference !== undefined) throw new Error(`its answer differs from the reference: ${difference}`);
      });
      if (of.once) continue;
      await attempt(entry, async (runner) => {
        // The very first step may still compile; engines that have answered have already run some.
        if (entry.agrees === null) await oneStep(runner);
        const begin = performance.now();
        entry.counts = await countStep(runner);
        const counted = entry.counts && !runner.time && !runner.prepare;
        const ms = counted ? performance.now() - begin : await time(runner, 1);
        entry.steps = rounds > 0 ? await stepsOfTurn(runner, ms, effort.turnMs) : 1;
        if (of.launch && rounds > 0) {
          entry.steps = Math.max(fewestOfLaunch, entry.steps);
          // The first call may compile.
          await timeTogether(runner, 1);
        }
      });
    }
    const share = effort.mostMs / entries.length;
    for (let round = 0; round < rounds; round++) {
      // Slow engines make few rounds; the others go on.
      const running = entries.filter(({ spentMs }) => round < fewestRounds || spentMs < share);
      // The order changes from round to round.
      for (let i = 0; i < running.length; i++) {
        const entry = running[(i + round) % running.length]!;
        report(`round ${round + 1} of ${rounds}: ${entry.contender.engine}`, 1 + entries.length + round);
        await attempt(entry, async (runner) => {
          const ms = await time(runner, entry.steps);
          entry.times.push(ms);
          entry.spentMs += ms * entry.steps;
          if (of.launch) {
            entry.fewTimes.push(await time(runner, fewOf(entry.steps)));
            const together = await timeTogether(runner, entry.steps);
            if (together !== undefined) entry.togetherTimes.push(together);
          }
          // For steps that take seconds, one is enough.
          const wanted = ms < slowStepMs ? fewestRounds : 1;
          if (runner.gpuTime && round < wanted) entry.gpuTimes.push(await runner.gpuTime(entry.steps));
        });
      }
    }
    for (const entry of entries) {
      await attempt(entry, async (runner) => {
        if (!runner.kernels || entry.times.length === 0) return;
        report(`${entry.contender.engine}'s kernels, one by one`, total);
        entry.kernels = await runner.kernels();
      });
    }
  } finally {
    watching.stop();
    for (const entry of entries) {
      try {
        entry.runner?.destroy();
      } catch (error) {
        entry.error ??= `cleaning up failed: ${messageOf(error)}`;
      }
    }
  }
  return rowsOf(of, entries);
}

/** Records failures on a device outside any call in the rows of the engines concerned. */
class Watching {
  /** The engine whose turn it is: an uncaught GPU error is attributed to it. */
  turn: Entry | undefined;
  readonly #entries: readonly Entry[];
  readonly #undo = new Map<GPUDevice, () => void>();
  readonly #lost = new Map<GPUDevice, string>();
  #stopped = false;

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Called once an engine has loaded. */
  add(entry: Entry): void {
    const device = entry.runner?.device;
    if (!device) return;
    const lost = this.#lost.get(device);
    if (lost !== undefined) entry.error = lost;
    if (this.#undo.has(device)) return;
    device.lost.then(({ message }) => {
      if (this.#stopped) return;
      const reason = `its device was lost: ${messageOf(message)}`;
      this.#lost.set(device, reason);
      // All engines on it have lost their buffers. This message is better than that of whatever call failed because of it.
      for (const each of this.#entries) {
        if (each.runner?.device === device && (each === this.turn || each.error === undefined)) each.error = reason;
      }
    });
    const note = ({ error }: GPUUncapturedErrorEvent) => {
      // An engine that is still loading may be on this device.
      if (this.turn && (!this.turn.runner || this.turn.runner.device === device)) {
        this.turn.error ??= `an uncaught GPU error: ${error.message}`;
      }
    };
    device.addEventListener("uncapturederror", note);
    this.#undo.set(device, () => device.removeEventListener("uncapturederror", note));
  }

  stop(): void {
    this.#stopped = true;
    for (const undo of this.#undo.values()) undo();
  }
}

/** The expected answer of a case, or why it is unknown; the engines' rows then say so. */
async function expectedOf(of: Case): Promise<Answer | { readonly error: string } | undefined> {
  try {
    return await of.expected?.();
  } catch (error) {
    return { error: `the reference failed: ${messageOf(error)}` };
  }
}

/** The difference of an answer from the expected one beyond rounding, or undefined. */
function compare(of: Case, answer: Answer, expected: Answer): string | undefined {
  const { number = "loss", tolerance = defaultTolerance } = of;
  const start = of.start?.();
  for (const [i, value] of expected.numbers.entries()) {
    const found = answer.numbers[i] ?? Number.NaN;
    if (!(Math.abs(found - value) <= tolerance.number * Math.abs(value))) {
      return `a ${number} of ${found.toPrecision(6)} instead of ${value.toPrecision(6)} in step ${i + 1}`;
    }
  }
  // Where gradients are computed, a single value may differ by a whole step, since some are close to zero; a whole array may not.
  let [off, moved] = [0, 0];
  for (const [t, values] of expected.values.entries()) {
    const differences = differencesOf(answer.values[t], values, start?.[t]);
    off += differences.off;
    moved += differences.moved;
    const { largest } = differences;
    const share = shareOf(differences);
    const rms = Math.sqrt(differences.moved / Math.max(1, values.length));
    if (!(share <= 5 * tolerance.values))
      return `values of array ${t + 1} are off by ${percent(share)} of how far they moved`;
    if (tolerance.each !== undefined && !(largest.off <= tolerance.each * rms)) {
      return `value ${largest.index} of array ${t + 1} is off by ${percent(largest.off / rms)} of how far they moved`;
    }
  }
  const share = shareOf({ off, moved });
  if (share <= tolerance.values) return undefined;
  return `its values are off by ${percent(share)} of how far they moved`;
}

/** Sums of squares: of errors, of movements; and the place of the largest error. */
function differencesOf(found: Float32Array | undefined, values: Float32Array, from: Float32Array | undefined) {
  let [off, moved] = [0, 0];
  let largest = { off: 0, index: 0 };
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // Missing values and NaN are infinitely far off.
    const distance = Math.abs((found?.[i] ?? Number.NaN) - value);
    const size = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    if (size > largest.off) largest = { off: size, index: i };
    off += size ** 2;
    moved += (value - (from?.[i] ?? 0)) ** 2;
  }
  return { off, moved, largest };
}

const shareOf = ({ off, moved }: { readonly off: number; readonly moved: number }) =>
  off === 0 ? 0 : Math.sqrt(off / moved);

const percent = (share: number) => `${(100 * share).toPrecision(3)} %`;

async function oneStep(runner: Runner): Promise<void> {
  await runner.prepare?.();
  await runner.step();
  await runner.wait();
}

/** The calls of a step on the runner's device, if it has one. */
async function countStep(runner: Runner): Promise<Counts | undefined> {
  if (!runner.device) return undefined;
  await runner.prepare?.();
  const counting = countCalls(runner.device);
  try {
    return await counting.count(async () => {
      await runner.step();
      await runner.wait();
    });
  } finally {
    counting.stop();
  }
}

/**
 * The number of steps that take about `turnMs`, where one took `ms`. Waiting for one step takes as long as for many, and one may
 * be slow by chance, so an estimate is tested: engines with turns of unequal length would spread their waits unequally.
 */
async function stepsOfTurn(runner: Runner, ms: number, turnMs: number): Promise<number> {
  const fitting = (each: number) => Math.max(1, Math.min(mostSteps, Math.round(turnMs / each)));
  let steps = fitting(ms);
  for (let tries = 0; tries < 3 && ms < turnMs; tries++) {
    const next = fitting(await time(runner, steps));
    const settled = next <= 1.5 * steps && steps <= 1.5 * next;
    steps = next;
    if (settled) break;
  }
  return steps;
}

/** Milliseconds per step, over this many steps that are started in sequence and waited for once. */
async function time(runner: Runner, steps: number): Promise<number> {
  await runner.wait();
  if (runner.time) return runner.time(steps);
  if (runner.prepare) {
    let ms = 0;
    for (let i = 0; i < steps; i++) {
      await runner.prepare();
      const start = performance.now();
      await runner.step();
      await runner.wait();
      ms += performance.now() - start;
    }
    return ms / steps;
  }
  const start = performance.now();
  for (let i = 0; i < steps; i++) await runner.step();
  await runner.wait();
  return (performance.now() - start) / steps;
}

/** The least number of steps of a long turn for the slope, and of a short one. */
const fewestOfLaunch = 4;
const fewOf = (steps: number) => Math.round(steps / 4);

/** Milliseconds per step of about this many in one call, if the engine can. */
async function timeTogether(runner: Runner, steps: number): Promise<number | undefined> {
  const { device, encode, together } = runner;
  await runner.wait();
  const start = performance.now();
  if (device && encode) {
    submitPass(device, (pass) => {
      for (let i = 0; i < steps; i++) encode(pass);
    });
    await runner.wait();
    return (performance.now() - start) / steps;
  }
  if (!together) return undefined;
  const calls = Math.ceil(steps / together.steps);
  for (let i = 0; i < calls; i++) await together.start();
  await runner.wait();
  return (performance.now() - start) / (calls * together.steps);
}

/** By medians: the line through turns of many and of few steps. */
function launchOf({ steps, times, fewTimes, togetherTimes }: Entry): Launch {
  const few = fewOf(steps);
  const togetherMs = togetherTimes.length > 0 ? quantile(togetherTimes, 0.5) : null;
  const [many, less] = [steps * quantile(times, 0.5), few * quantile(fewTimes, 0.5)];
  const slopeMs = (many - less) / (steps - few);
  return { steps: [steps, few], slopeMs, interceptMs: many - steps * slopeMs, togetherMs };
}

function rowsOf(of: Case, entries: readonly Entry[]): Row[] {
  const median = ({ error, times }: Entry) => (error !== undefined || times.length === 0 ? null : quantile(times, 0.5));
  const streamed = entries.find(({ contender }) => contender.engine === stream);
  const streamMs = streamed ? median(streamed) : null;
  const unit = of.unit === undefined ? undefined : entries.find(({ contender }) => contender.engine === of.unit);
  const unitMs = unit ? median(unit) : null;
  return entries.map((entry): Row => {
    const { contender, runner, times, gpuTimes, counts, agrees, kernels, error } = entry;
    const ms = median(entry);
    // One measurement has no spread.
    const quartiles =
      ms === null || times.length < 2 ? null : ([quantile(times, 0.25), quantile(times, 0.75)] as const);
    const bytes = runner?.bytes ?? (counts && counts.bytesBound > 0 ? counts.bytesBound : undefined);
    const peers = entries.flatMap((peer): [string, number][] => {
      const its = median(peer);
      return peer === entry || its === null ? [] : [[peer.contender.engine, its]];
    });
    return {
      ...emptyRow(of, contender.engine),
      ms,
      spread: quartiles && quartiles[1] - quartiles[0],
      gpuMs: ms === null || gpuTimes.length === 0 ? null : quantile(gpuTimes, 0.5),
      quartiles,
      paramsPerSecond: ms && of.n > 0 && !of.delay ? (1000 * of.n) / ms : null,
      gflops: ms && of.flops !== undefined ? of.flops / ms / 1e6 : null,
      gbPerSecond: ms && bytes !== undefined && !of.delay ? bytes / ms / 1e6 : null,
      dispatches: counts?.dispatches ?? null,
      passes: counts?.passes ?? null,
      submits: counts?.submits ?? null,
      bindGroups: counts?.bindGroups ?? null,
      hostBytes: counts ? counts.bytesWritten + counts.bytesMapped : null,
      bytesPerParam: bytes !== undefined && of.n > 0 ? bytes / of.n : null,
      ratioToStream: ms !== null && streamMs !== null && entry !== streamed ? ms / streamMs : null,
      units: ms !== null && unitMs !== null && entry !== unit ? ms / unitMs : null,
      ratioTo:
        ms !== null && contender.engine === of.ours
          ? Object.fromEntries(peers.map(([engine, its]) => [engine, its / ms]))
          : {},
      agrees,
      ...(kernels && { kernels }),
      ...(of.launch && ms !== null && { launch: launchOf(entry) }),
      ...(runner?.note !== undefined && { note: runner.note }),
      ...(error !== undefined && { error }),
    };
  });
}

/** A row's case, as in filters and the baseline. */
export const titleOfRow = (row: Pick<Row, "suite" | "case">) => `${row.suite}: ${row.case}`;

/** A row without any results yet. */
export function emptyRow(
  { suite, name, n, tensors }: Pick<Case, "suite" | "name" | "n" | "tensors">,
  engine: string,
): Row {
  return {
    ...{ suite, case: name, engine, n, tensors },
    ...{ ms: null, spread: null, gpuMs: null, quartiles: null },
    ...{ paramsPerSecond: null, gflops: null, gbPerSecond: null },
    ...{ dispatches: null, passes: null, submits: null, bindGroups: null, hostBytes: null },
    ...{ bytesPerParam: null, ratioToStream: null, units: null, ratioTo: {}, bytes: null, agrees: null },
  };
}

/** The quantile by linear interpolation between sorted values. */
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
