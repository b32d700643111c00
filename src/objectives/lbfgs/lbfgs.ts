// L-BFGS as users call it: a step takes a closure, like torch's, or an objective with its rows, and works in place on the
// parameters of any optimizer, so that Adam hands over without a copy.

import { crc32 } from "../../base/checksum.ts";
import { DataError, DeviceError, OptionError, show } from "../../base/errors.ts";
import { encodeExact, fromExact } from "../../base/exact.ts";
import { readBoolean, readMade, readNumber } from "../../base/options.ts";
import { decodeSafetensors } from "../../base/safetensors.ts";
import { readFields, readName } from "../../base/words.ts";
import type { GpuVectors } from "../../engines/gpu/vectors.ts";
import { openVectors } from "../../engines/open_vectors.ts";
import type { At, VectorSpace } from "../../engines/vectors.ts";
import { type Optimizer, readOptimizer } from "../../optimizer/optimizer.ts";
import { insideOf } from "../../optimizer/shell.ts";
import type { Field } from "../field.ts";
import type { Objective } from "../objective.ts";
import {
  Iteration,
  type IterationState,
  type LbfgsReport,
  type LineSearch,
  roomOf,
  type Settings,
  type Source,
} from "./iteration.ts";

/** Options of L-BFGS. */
export interface LbfgsOptions {
  /** The factor of a direction before the line search, > 0; default 1. Without one it is the rate. */
  readonly lr?: number | undefined;
  /** Pairs of steps and gradient differences that are kept, a whole number in [1, 1000]; default 10. */
  readonly history?: number | undefined;
  /** The most iterations of one step, a whole number >= 1; default 20. */
  readonly maxIterations?: number | undefined;
  /** The most losses and gradients of one step, a whole number >= 1; default 1.25 times the iterations, and at least 25. */
  readonly maxEvaluations?: number | undefined;
  /** A step ends once no derivative is larger than this, >= 0; default 1e-7. */
  readonly gradientTolerance?: number | undefined;
  /** A step ends once neither a parameter nor the loss changes by more than this, >= 0; default 1e-9. */
  readonly changeTolerance?: number | undefined;
  /**
   * How the length of a step is found: "strongWolfe" (the default) by Nocedal and Wright 2006, algorithms 3.5 and 3.6, with the
   * constants 1e-4 and 0.9 and at most 25 evaluations; "none" takes `lr`.
   */
  readonly lineSearch?: LineSearch | undefined;
  /** Whether losses may be over other rows from step to step, or with dropout; default false, and such steps are refused. */
  readonly stochastic?: boolean | undefined;
}

/** {@link LbfgsOptions} with every default filled in. */
export type CompleteLbfgsOptions = Readonly<Settings> & { readonly stochastic: boolean };

/** Computes the gradients at a CPU optimizer's current parameters into its gradient arena, and returns the loss. */
export type CpuClosure = () => number | Promise<number>;

/**
 * Encodes kernels that compute the gradients at a WebGPU optimizer's current parameters into its gradient arena, and returns
 * where they leave the loss: a float32 in a buffer that can be copied from, at an offset that is a multiple of 4. It may leave
 * the pass with any pipeline and bindings.
 */
export type GpuClosure = (pass: GPUComputePassEncoder) => GPUBufferBinding;

/**
 * L-BFGS (Nocedal 1980; Liu and Nocedal 1989) on the parameters of an optimizer, in the form of Chen, Wang and Zhou 2014, in which
 * only dot products leave the engine. Tensors that the optimizer holds frozen stay as they are, and so do its slots and its step.
 */
export interface Lbfgs {
  /** The engine. */
  readonly backend: Optimizer["backend"];
  /** The options with every default filled in. */
  readonly options: CompleteLbfgsOptions;
  /** Pairs kept now. */
  readonly pairs: number;
  /**
   * Up to `maxIterations` iterations on the loss of an objective over some rows; if the step before used the same and the
   * parameters are as it left them, its last gradient is not computed again. If a loss is not finite, the parameters stay those
   * of the last iteration, and the report says so.
   *
   * @throws OptionError for an objective of another optimizer, rows as {@link Objective.step} does, and without `stochastic` for
   * rows other than those of the step before and for objectives with dropout; DeviceError as every call of an objective does.
   */
  step(objective: Objective, rows?: Uint32Array): Promise<LbfgsReport>;
  /**
   * The same on the loss of a closure, which is called for every evaluation.
   *
   * @throws the closure's error; the parameters are then those of the last iteration.
   */
  step(closure: CpuClosure | GpuClosure): Promise<LbfgsReport>;
  /** Forgets the pairs: the next iteration is one of steepest descent. */
  reset(): void;
  /** Everything that the next step depends on besides the optimizer's parameters, as a safetensors file. */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Continues from a file of {@link Lbfgs.save}, to the bit if the optimizer's parameters are those of that time.
   *
   * @throws DataError for any other file, and for one of other tensors or another history; nothing is changed then.
   */
  load(bytes: Uint8Array): Promise<void>;
  /** Frees its memory; the optimizer is not destroyed. */
  destroy(): void;
}

const format = "fallline-lbfgs/1";

const optionNames = [
  ...(["lr", "history", "maxIterations", "maxEvaluations", "gradientTolerance", "changeTolerance"] as const),
  ...(["lineSearch", "stochastic"] as const),
];

/** @throws OptionError for values out of range and unknown options. */
function readLbfgsOptions(name: string, options: LbfgsOptions): CompleteLbfgsOptions {
  const given = readFields(name, options, optionNames) as LbfgsOptions;
  const whole = (option: "history" | "maxIterations" | "maxEvaluations", standard: number, max?: number) =>
    readNumber(`${name}.${option}`, given[option] ?? standard, { min: 1, integer: true, ...(max ? { max } : {}) });
  const tolerance = (option: "gradientTolerance" | "changeTolerance", standard: number) =>
    readNumber(`${name}.${option}`, given[option] ?? standard, { min: 0 });
  const maxIterations = whole("maxIterations", 20);
  return {
    lr: readNumber(`${name}.lr`, given.lr ?? 1, { above: 0 }),
    history: whole("history", 10, 1000),
    maxIterations,
    maxEvaluations: whole("maxEvaluations", Math.max(25, Math.floor(1.25 * maxIterations))),
    gradientTolerance: tolerance("gradientTolerance", 1e-7),
    changeTolerance: tolerance("changeTolerance", 1e-9),
    lineSearch: readName(`${name}.lineSearch`, given.lineSearch ?? "strongWolfe", ["strongWolfe", "none"]),
    stochastic: readBoolean(`${name}.stochastic`, given.stochastic ?? false),
  };
}

/**
 * L-BFGS on the parameters of an optimizer: `const lbfgs = await createLbfgs(optimizer); await lbfgs.step(objective, rows)`.
 *
 * @throws OptionError for options out of range, and for an optimizer with replicas, one that maximizes, or one that holds every
 * tensor frozen; DeviceError where the vectors do not fit, before anything is changed.
 */
export async function createLbfgs(optimizer: Optimizer, options: LbfgsOptions = {}): Promise<Lbfgs> {
  readOptimizer(optimizer);
  const complete = readLbfgsOptions("options", options);
  const { plan } = insideOf(optimizer);
  if (plan.replicas !== 1) {
    throw new OptionError(`optimizer has ${plan.replicas} replicas; L-BFGS takes an optimizer with one`);
  }
  if (plan.maximize) throw new OptionError("optimizer has maximize: true; L-BFGS takes one that minimizes");
  return new BoundLbfgs(optimizer, complete, await openRoom(optimizer, complete));
}

/** Vectors over the tensors that are trained. */
interface Room {
  readonly space: VectorSpace;
  readonly tensors: readonly string[];
  readonly iteration: Iteration;
}

/** The tensors that the optimizer trains now. */
function trained(optimizer: Optimizer): readonly string[] {
  const { plan, hypers, segments } = insideOf(optimizer);
  return segments.filter((_, i) => !hypers.isFrozen(plan.groupOf[i]!)).map(({ name }) => name);
}

async function openRoom(optimizer: Optimizer, settings: Settings): Promise<Room> {
  const tensors = trained(optimizer);
  if (tensors.length === 0) {
    throw new OptionError("optimizer has every tensor frozen; L-BFGS needs one that is not");
  }
  const { vectors, scalars } = roomOf(settings.history);
  const space = await openVectors(optimizer, { tensors, scalars });
  try {
    const block = await space.create(vectors);
    return { space, tensors, iteration: new Iteration(space, block, settings) };
  } catch (error) {
    space.destroy();
    throw error;
  }
}

/** The function of the last step. */
interface On {
  readonly objective: Objective | undefined;
  /** A checksum of the rows. */
  readonly rows: string;
  readonly field: Field | undefined;
}

class BoundLbfgs implements Lbfgs {
  readonly options: CompleteLbfgsOptions;
  readonly #optimizer: Optimizer;
  #room: Room;
  #on: On | null = null;
  #busy = false;
  /** The error of a closure that threw while it encoded. */
  #thrown: { readonly error: unknown } | null = null;
  #destroyed = false;

  constructor(optimizer: Optimizer, options: CompleteLbfgsOptions, room: Room) {
    this.#optimizer = optimizer;
    this.options = options;
    this.#room = room;
  }

  get backend(): Optimizer["backend"] {
    return this.#optimizer.backend;
  }

  get pairs(): number {
    return this.#room.iteration.pairs;
  }

  async step(on: Objective | CpuClosure | GpuClosure, given?: Uint32Array): Promise<LbfgsReport> {
    this.#mustBeFree("step");
    // Before anything is awaited, since the caller may fill it anew.
    const rows = given instanceof Uint32Array ? given.slice() : given;
    this.#busy = true;
    try {
      await this.#refreeze();
      const { source, again } = typeof on === "function" ? this.#closure(on, rows) : await this.#objective(on, rows);
      return await this.#room.iteration.step(source, again);
    } catch (error) {
      throw this.#thrown ? this.#thrown.error : error;
    } finally {
      this.#busy = false;
      this.#thrown = null;
    }
  }

  reset(): void {
    this.#mustBeFree("reset");
    this.#room.iteration.forget();
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    this.#mustBeFree("save");
    const { iteration, tensors } = this.#room;
    const { pairs, known, vectors } = await iteration.state();
    const metadata = {
      format,
      tensors: JSON.stringify(tensors),
      history: String(this.options.history),
      state: JSON.stringify({ pairs, known, rows: this.#on?.rows ?? null }),
    };
    return encodeExact(vectors, metadata);
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#mustBeFree("load");
    await this.#refreeze();
    const { space, tensors, iteration } = this.#room;
    const { state, rows } = readState(bytes, tensors, this.options.history, space.length);
    iteration.restore(state);
    this.#on?.field?.destroy();
    this.#on = rows === null ? null : { objective: undefined, rows, field: undefined };
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#on?.field?.destroy();
    this.#room.space.destroy();
  }

  #mustBeFree(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on a destroyed L-BFGS`);
    if (this.#busy) throw new OptionError(`${call}() was called during a step; it must come after it`);
  }

  /** Starts afresh if other tensors are trained now: pairs do not carry over to other vectors. */
  async #refreeze(): Promise<void> {
    if (trained(this.#optimizer).join("\n") === this.#room.tensors.join("\n")) return;
    const room = await openRoom(this.#optimizer, this.options);
    this.#on?.field?.destroy();
    this.#room.space.destroy();
    [this.#room, this.#on] = [room, null];
  }

  #closure(closure: CpuClosure | GpuClosure, rows: Uint32Array | undefined): { source: Source; again: boolean } {
    if (rows !== undefined) throw new OptionError(`rows is ${show(rows)}; beside a closure it must be left out`);
    const { space } = this.#room;
    this.#on?.field?.destroy();
    this.#on = null;
    const source =
      space.backend === "cpu"
        ? fromCpu(space, closure as CpuClosure)
        : fromGpu(space as GpuVectors, closure as GpuClosure, (error) => {
            this.#thrown = { error };
          });
    return { source, again: false };
  }

  async #objective(objective: Objective, given: Uint32Array | undefined): Promise<{ source: Source; again: boolean }> {
    const allowed = "an objective, such as createObjective() makes, or a closure";
    const its = readMade("objective", objective, allowed, { field: "function" });
    const rows = given === undefined ? "none" : given instanceof Uint32Array ? checksum(given) : "";
    const same = this.#on?.rows === rows && (this.#on.objective ?? objective) === objective;
    if (this.#on && !same && !this.options.stochastic) {
      throw new OptionError(
        "a step was given a different objective or rows than the last; L-BFGS needs the same unless created with stochastic: true",
      );
    }
    let field = same ? this.#on?.field : undefined;
    if (!field) {
      field = await its.field({ ...(given ? { rows: given } : {}), space: this.#room.space, moves: true });
      if (field.draws && !this.options.stochastic) {
        field.destroy();
        throw new OptionError("objective has dropout; L-BFGS takes it only if created with stochastic: true");
      }
      this.#on?.field?.destroy();
      this.#on = { objective, rows, field };
    }
    const source: Source = {
      moves: field.moves,
      record: (point, gradient, loss) => field.evaluate(point, gradient, loss),
    };
    return { source, again: same };
  }
}

function fromCpu(space: VectorSpace, closure: CpuClosure): Source {
  return {
    moves: true,
    async record(point: At, gradient: At, loss: number) {
      space.store(point);
      const found: unknown = await closure();
      if (typeof found !== "number") {
        throw new OptionError(`the closure returned ${show(found)}; it must return the loss, a number`);
      }
      space.set(loss, [found]);
      space.load("gradients", gradient);
    },
  };
}

/** @param onThrow Receives the closure's error, which comes back as the failure of a submission. */
function fromGpu(space: GpuVectors, closure: GpuClosure, onThrow: (error: unknown) => void): Source {
  return {
    moves: true,
    record(point: At, gradient: At, loss: number) {
      let found: GPUBufferBinding | undefined;
      space.store(point);
      space.record((pass) => {
        try {
          const given: unknown = closure(pass);
          found = given as GPUBufferBinding;
          if (typeof Object(given).buffer !== "object") {
            throw new OptionError(
              `the closure returned ${show(given)}; it must return where the loss is, { buffer, offset }`,
            );
          }
        } catch (error) {
          onThrow(error);
          throw error;
        }
      });
      space.recordScalar(() => found!, loss);
      space.load("gradients", gradient);
    },
  };
}

function checksum(rows: Uint32Array): string {
  return `${rows.length}-${crc32(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength))}`;
}

function readState(
  bytes: Uint8Array,
  tensors: readonly string[],
  history: number,
  length: number,
): { readonly state: IterationState; readonly rows: string | null } {
  const { metadata, tensors: saved } = decodeSafetensors(bytes);
  const wrong = (what: string): never => {
    throw new DataError(`the state of L-BFGS ${what}`);
  };
  if (metadata.format !== format) {
    wrong(`has the format ${metadata.format ?? "that is missing"}; this version reads ${format}`);
  }
  if (metadata.tensors !== JSON.stringify(tensors)) {
    wrong(`is for the tensors ${metadata.tensors}; the trained ones are ${JSON.stringify(tensors)}`);
  }
  if (metadata.history !== String(history)) wrong(`has a history of ${metadata.history}; this one has ${history}`);
  const vectors = new Map(
    [...saved].map(([name, tensor]) => [name, fromExact(tensor, `the vector ${name} of L-BFGS`, length)]),
  );
  const { pairs, known, rows } = readJson(metadata.state);
  const slots = history + 1;
  const numbers = (value: unknown, count: number) =>
    Array.isArray(value) && value.length === count && value.every((one) => typeof one === "number");
  const { order, sy, yy } = (Object(pairs) ?? {}) as Record<string, unknown>;
  const ordered =
    Array.isArray(order) &&
    order.length <= history &&
    order.every((slot, i) => Number.isInteger(slot) && slot === ((order[0] as number) + i) % slots && slot >= 0);
  if (!ordered || !numbers(sy, slots ** 2) || !numbers(yy, slots ** 2)) wrong("has no pairs");
  const needed = (order as number[]).flatMap((_, age) => [`s${age}`, `y${age}`]);
  const lacking = [...needed, "gradient", "point"].find((name) => !vectors.has(name));
  if (lacking) wrong(`lacks the vector ${lacking}`);
  const scalars = ["loss", "square", "sum", "largest"] as const;
  const its = Object(known) as Record<string, unknown>;
  if (
    known !== null &&
    !(scalars.every((name) => typeof its[name] === "number") && numbers(its.withS, slots) && numbers(its.withY, slots))
  ) {
    wrong("does not describe its point");
  }
  if (rows !== null && typeof rows !== "string") wrong("does not name its rows");
  const state = { pairs, known, vectors } as IterationState;
  return { state, rows: rows as string | null };
}

function readJson(text: string | undefined): Record<string, unknown> {
  try {
    return Object(JSON.parse(text ?? "")) as Record<string, unknown>;
  } catch (error) {
    throw new DataError(`the state of L-BFGS is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
