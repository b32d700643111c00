// Runs the cases of the benchmark, in a page and in Node alike: engines load, answer and are timed in turns. An engine that does not
// load, answers wrongly or loses its device gets a row that says so, and the others go on.

import { nudged } from "../src/engines/gpu/nudge.ts";
import { compare, expectedOf } from "./answers.ts";
import type { Counts } from "./counting.ts";
import {
  type Case,
  type Contender,
  emptyRow,
  type KernelTime,
  type Launch,
  messageOf,
  quantile,
  type Row,
  type Runner,
  type SuiteOptions,
} from "./suite.ts";
import { countStep, fewestOfLaunch, fewOf, oneStep, stepsOfTurn, time, timeTogether } from "./timing.ts";

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

/** @throws the signal's reason when it is aborted; everything made so far is destroyed. */
export async function runCases(cases: readonly Case[], options: SuiteOptions = {}): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [i, each] of cases.entries()) {
    const report = (doing: string, done: number, total: number) =>
      options.onProgress?.({ case: each.name, doing, done, total, casesDone: i, cases: cases.length, rows });
    rows.push(...(await new CaseRun(each, options, report).run()));
  }
  return rows;
}

/** One case with all its engines. */
class CaseRun {
  readonly #case: Case;
  readonly #options: SuiteOptions;
  readonly #reportOf: (doing: string, done: number, total: number) => void;
  readonly #effort: Effort;
  readonly #rounds: number;
  readonly #entries: readonly Entry[];
  readonly #watching: Watching;

  constructor(of: Case, options: SuiteOptions, reportOf: (doing: string, done: number, total: number) => void) {
    [this.#case, this.#options, this.#reportOf] = [of, options, reportOf];
    this.#effort = options.quick || of.brief ? brief : thorough;
    this.#rounds = of.once ? 1 : (options.rounds ?? this.#effort.rounds);
    this.#entries = of.contenders.map((contender) => ({
      ...{ contender, times: [], fewTimes: [], togetherTimes: [], gpuTimes: [] },
      ...{ spentMs: 0, steps: 1, agrees: null },
    }));
    this.#watching = new Watching(this.#entries);
  }

  async run(): Promise<Row[]> {
    try {
      this.#report("computing the reference", 0);
      await nextTask();
      const expected = await expectedOf(this.#case);
      for (const [i, entry] of this.#entries.entries()) {
        await this.#load(entry, 1 + i);
        this.#report(`checking ${entry.contender.engine}`, 1 + i);
        await this.#attempt(entry, (runner) => this.#check(entry, runner, expected));
        if (!this.#case.once) await this.#attempt(entry, (runner) => this.#count(entry, runner));
      }
      for (let round = 0; round < this.#rounds; round++) await this.#round(round);
      for (const entry of this.#entries) await this.#attempt(entry, (runner) => this.#timeKernels(entry, runner));
    } finally {
      this.#watching.stop();
      for (const entry of this.#entries) {
        try {
          entry.runner?.destroy();
        } catch (error) {
          entry.error ??= `cleaning up failed: ${messageOf(error)}`;
        }
      }
    }
    return rowsOf(this.#case, this.#entries);
  }

  get #total(): number {
    return 1 + this.#entries.length + this.#rounds;
  }

  #report(doing: string, done: number): void {
    this.#reportOf(doing, done, this.#total);
  }

  /** A run pauses or stops here. */
  async #pause(): Promise<void> {
    await this.#options.turn?.();
    this.#options.signal?.throwIfAborted();
  }

  /** Tries something with an engine that has not failed yet; an exception becomes its row's error. */
  async #attempt(entry: Entry, work: (runner: Runner) => Promise<void>): Promise<void> {
    await this.#pause();
    if (!entry.runner || entry.error !== undefined) return;
    this.#watching.turn = entry;
    try {
      await nudged(entry.runner.device, work(entry.runner));
    } catch (error) {
      entry.error ??= messageOf(error);
    }
    // A device may report events one task later.
    await nextTask();
  }

  async #load(entry: Entry, done: number): Promise<void> {
    const { engine, load } = entry.contender;
    await this.#pause();
    this.#report(`loading ${engine}`, done);
    await nextTask();
    this.#watching.turn = entry;
    try {
      entry.runner = await load();
      this.#watching.add(entry);
    } catch (error) {
      entry.error = `${engine} does not load: ${messageOf(error)}`;
    }
  }

  async #check(entry: Entry, runner: Runner, expected: Awaited<ReturnType<typeof expectedOf>>): Promise<void> {
    if (!expected || !runner.answer) return;
    if ("error" in expected) throw new Error(expected.error);
    const difference = compare(this.#case, await runner.answer(), expected);
    entry.agrees = difference === undefined;
    if (difference !== undefined) throw new Error(`its answer differs from the reference: ${difference}`);
  }

  /** Counts a step's calls, and finds how many steps make a turn. */
  async #count(entry: Entry, runner: Runner): Promise<void> {
    // The very first step may still compile; engines that have answered have already run some.
    if (entry.agrees === null) await oneStep(runner);
    const begin = performance.now();
    entry.counts = await countStep(runner);
    const counted = entry.counts && !runner.time && !runner.prepare;
    const ms = counted ? performance.now() - begin : await time(runner, 1);
    if (this.#rounds === 0) return;
    entry.steps = await stepsOfTurn(runner, ms, this.#effort.turnMs);
    if (!this.#case.launch) return;
    entry.steps = Math.max(fewestOfLaunch, entry.steps);
    // The first call may compile.
    await timeTogether(runner, 1);
  }

  async #round(round: number): Promise<void> {
    const share = this.#effort.mostMs / this.#entries.length;
    // Slow engines make few rounds; the others go on.
    const running = this.#entries.filter(({ spentMs }) => round < fewestRounds || spentMs < share);
    // The order changes from round to round.
    for (let i = 0; i < running.length; i++) {
      const entry = running[(i + round) % running.length]!;
      this.#report(
        `round ${round + 1} of ${this.#rounds}: ${entry.contender.engine}`,
        1 + this.#entries.length + round,
      );
      await this.#attempt(entry, (runner) => this.#time(entry, runner, round));
    }
  }

  async #time(entry: Entry, runner: Runner, round: number): Promise<void> {
    const ms = await time(runner, entry.steps);
    entry.times.push(ms);
    entry.spentMs += ms * entry.steps;
    if (this.#case.launch) {
      entry.fewTimes.push(await time(runner, fewOf(entry.steps)));
      const together = await timeTogether(runner, entry.steps);
      if (together !== undefined) entry.togetherTimes.push(together);
    }
    // For steps that take seconds, one is enough.
    const wanted = ms < slowStepMs ? fewestRounds : 1;
    if (runner.gpuTime && round < wanted) entry.gpuTimes.push(await runner.gpuTime(entry.steps));
  }

  async #timeKernels(entry: Entry, runner: Runner): Promise<void> {
    if (!runner.kernels || entry.times.length === 0) return;
    this.#report(`${entry.contender.engine}'s kernels, one by one`, this.#total);
    entry.kernels = await runner.kernels();
  }
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

/** Lets the page paint between pieces of work that block it. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
