// What the benchmark measures: cases, the engines that compete in each, and the resulting rows.

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

/** A value that is made when it is first asked for. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
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
