// What an objective computes: a program, made from a model, a landscape or a custom objective. It has its tensors, its needs of
// data and memory, and how either engine computes its losses and gradients.

import { OptionError, refusal } from "../base/errors.ts";
import type { CpuOptimizer } from "../engines/cpu/optimizer.ts";
import type { Dispatch } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { Segment, Tensor } from "../optimizer/arena.ts";
import type { Dataset, DatasetShape } from "./data/dataset.ts";

/** Anything that has a program: a model, a landscape, a custom objective. `Start` decides where its tensors start. */
export interface Trainable<Start = unknown> {
  /** The computation, for either engine. */
  readonly program: Program<Start>;
}

/** The computation of an objective, for both engines. */
export interface Program<Start = unknown> {
  /** "784-32-10", "rosenbrock", "objective line". */
  readonly title: string;
  /** Whether it learns from the rows of a data set. */
  readonly needsData: boolean;
  /** The name of its loss in errors: "softmaxCrossEntropy", "objective line", "rosenbrock". */
  readonly lossName: string;
  /** Whether its loss distinguishes right from wrong outputs, so that there is an accuracy. */
  readonly hasAccuracy: boolean;
  /** Whether its exact outputs are known, so that there is an error. */
  readonly hasError: boolean;
  /** Whether training is random, as with dropout; default false. */
  readonly draws?: boolean;
  /** Its memory on a device, for these replicas and rows. @internal */
  readonly memory: ProgramMemory;
  /**
   * Reads the start, and fills in its defaults.
   *
   * @throws OptionError for a bad start.
   */
  start(given: Start | undefined): Start;
  /** Names and shapes of its tensors. */
  tensors(start?: Start): readonly Tensor[];
  /** Its tensors with their starting values. */
  initial(start?: Start): readonly Tensor[];
  /**
   * Its tensors among an optimizer's.
   *
   * @throws OptionError if one is missing or has another shape.
   */
  segmentsOf(segments: readonly Segment[]): readonly Segment[];
  /** Checks the shape of data. @throws OptionError if it does not take such rows, classes or targets. */
  checkFit(data: DatasetShape): void;
  /** Checks every answer. @throws DataError for targets that its loss does not take. */
  checkAnswers(data: Dataset): void;
  /** Binds it to the CPU reference. @internal */
  bindCpu(optimizer: CpuOptimizer, binding: Binding): CpuProgram;
  /** Binds it to a device. @internal */
  bindGpu(optimizer: GpuOptimizer, binding: Binding): Promise<GpuProgram>;
}

/** A program's memory on a device, besides the optimizer's. */
export interface ProgramMemory {
  /** Bytes of one row in the largest buffer that all replicas share; 0 without rows. */
  readonly sharedRowBytes: number;
  /** Bytes of one row of one replica in the largest buffer of those that hold what each replica computes. */
  readonly replicaRowBytes: number;
  /** Bytes of a replica in that buffer besides its rows. */
  readonly replicaFixedBytes: number;
  /** Rows that buffers hold are a multiple of this. */
  readonly rowMultiple: number;
  /** Whether a batch may be divided into micro-batches. */
  readonly divides: boolean;
}

/** What a program is bound to: its tensors in an optimizer and, if it needs data, rows and batches. */
export interface Binding {
  readonly segments: readonly Segment[];
  readonly data: Dataset | undefined;
  /** The most rows of a step; 1 without data. */
  readonly batch: number;
  /** Rows that are computed at once, if the caller sets it. */
  readonly microBatch: number | undefined;
  /** @throws OptionError if other rows of its tensors are in use by now. */
  mustHold(): void;
}

/** The values of a tensor. */
export type Values = (name: string) => Float32Array | Float64Array;

/** Sums over rows, by weight. */
export interface Sums {
  readonly loss: number;
  /** Rows whose outputs are right, or squared distances from exact outputs; 0 if the loss has neither. */
  readonly hits: number;
}

/** A program bound to an optimizer on the CPU; in float64. */
export interface CpuProgram {
  /**
   * The mean loss of rows at any values of the parameters; adds its derivatives to `gradients`.
   *
   * @param step Updates made so far, which random draws depend on.
   */
  gradient(params: Values, rows: Uint32Array, step: number, gradients: (name: string) => Float64Array): number;
  /** Rows that are evaluated at once. */
  readonly atOnce: number;
  /**
   * Sums losses and hits over rows of a data set, which may differ from the training data; `rows` are gathered once for all
   * replicas.
   */
  evaluation(data: Dataset | undefined): (rows: Uint32Array) => (params: Values) => Sums;
  /** The penalty that is added to every mean loss, whatever the rows. */
  penalty(params: Values): number;
  /** The number of examples that a batch without rows averages over. */
  readonly examples: number;
  /** The longest stride of a Hessian-vector product, for parameters and a vector of norm 1, and how closely two must agree. */
  readonly strides: { readonly longest: number; readonly enough: number };
}

/** A program bound to an optimizer on the GPU: its dispatches, and where sums are written. */
export interface GpuProgram {
  /** Buffers to destroy with it. */
  readonly buffers: readonly GPUBuffer[];
  /** The buffers for the rows of batches; undefined without data. */
  readonly rows: GpuRows | undefined;
  /** Losses and gradients of each micro-batch: the first overwrites, the others add. */
  readonly microBatches: readonly (readonly Dispatch[])[];
  /** Encoded once, after them. */
  readonly after: readonly Dispatch[];
  /**
   * Sums of weighted losses and of hits, two float32 for each replica, micro-batch after micro-batch; after them, with
   * `hasPenalty`, the penalty that is added to every mean loss.
   */
  readonly totals: GPUBuffer;
  readonly hasPenalty: boolean;
  /** The number of examples that a batch without rows averages over. */
  readonly examples: number;
  /** Writes the sums over the rows in {@link GpuRows.evaluated} in place of the first micro-batch's. */
  evaluation(data: Dataset | undefined): Promise<GpuEvaluation>;
}

export interface GpuRows {
  /** For micro-batch i, from byte `stride`·i on: how many rows, 1 / Σ weight of the whole batch, and the rows. */
  readonly buffer: GPUBuffer;
  readonly stride: number;
  /** Rows of a micro-batch. */
  readonly atOnce: number;
  /** The same for evaluated rows, so that the rows that were set stay. */
  readonly evaluated: GPUBuffer;
}

export interface GpuEvaluation {
  readonly dispatches: readonly Dispatch[];
  readonly buffers: readonly GPUBuffer[];
}

/** Bytes of each replica's sums in {@link GpuProgram.totals}: loss and hits. */
export const totalBytes = 8;

/**
 * The program of a model, a landscape or a custom objective.
 *
 * @throws OptionError for anything else.
 */
export function programOf<Start>(trainable: Trainable<Start>): Program<Start> {
  const given: unknown = trainable;
  const program = typeof given === "object" && given !== null ? (given as { program?: unknown }).program : undefined;
  if (typeof program === "object" && program !== null && "bindGpu" in program) return program as Program<Start>;
  throw refusal("the program", given, "what createModel(), landscapes.create() or defineObjective() returns");
}

/**
 * The tensors of a model, a landscape or a custom objective, with their starting values, from which to make an optimizer.
 *
 * @param start For a model, its `init` (default: seed 0); for a landscape, coordinates, point after point (default: one point,
 * the customary start); a custom objective has its own.
 * @throws OptionError for anything else, and for a bad start.
 */
export function initialTensors<Start>(trainable: Trainable<Start>, start?: Start): readonly Tensor[] {
  return programOf(trainable).initial(start);
}

/**
 * Segments by the names and shapes that a program has.
 *
 * @param whose The start of errors about these shapes: "the model's has".
 * @throws OptionError if one is missing or has another shape.
 */
export function matchSegments(
  segments: readonly Segment[],
  tensors: readonly Pick<Tensor, "name" | "shape">[],
  whose: string,
): readonly Segment[] {
  return tensors.map(({ name, shape }) => {
    const found = segments.find((segment) => segment.name === name);
    if (found?.shape.join() === shape.join()) return found;
    throw new OptionError(
      `the optimizer's tensor "${name}" ${found ? `has shape [${found.shape.join(", ")}]` : "is missing"}; ${whose} [${shape.join(", ")}]`,
    );
  });
}
