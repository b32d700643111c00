// An objective: a program with its data, bound to an optimizer's arenas. It computes the loss and the batched gradient; the
// optimizer does the rest. The interface is the same on both engines, whatever the program.

import { OptionError, refusal, show } from "../base/errors.ts";
import { readListener, readMade, readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import { norm as normOf } from "../engines/cpu/vectors.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { Optimizer, Stats, TensorValues } from "../optimizer/optimizer.ts";
import { checkDataset, type Dataset, readDataset } from "./data/dataset.ts";
import type { Field, FieldOptions } from "./field.ts";
import { type Binding, type Program, programOf, type Trainable } from "./program.ts";

/** Options of an objective. */
export interface ObjectiveOptions {
  /** The data set; a landscape has none. */
  readonly data?: Dataset | undefined;
  /** The most rows of a step, a whole number >= 1; with `data`. */
  readonly batch?: number | undefined;
  /**
   * Rows that are computed at once, a whole number >= 1: larger batches are split into micro-batches, whose gradients add up to
   * that of the whole batch. Default as many as the engine can hold. For models.
   */
  readonly microBatch?: number | undefined;
}

/** The report of one training step in one replica. */
export interface ReplicaReport {
  /** The loss of the batch, before the update. */
  readonly loss: number;
  /** Norm of the gradient before clipping; NaN if none is computed. */
  readonly gradientNorm: number;
  /** Updates made so far, this one included. */
  readonly step: number;
  /** Updates skipped so far because a gradient was not finite. */
  readonly skipped: number;
  /** Whether its loss scale underflowed, so that it makes no more updates. */
  readonly underflowed: boolean;
}

/** A replica's report from its loss and the optimizer's stats after the step. */
export function reportOf(loss: number, { gradientNorm, step, skipped, underflowed }: Stats): ReplicaReport {
  return { loss, gradientNorm, step, skipped, underflowed };
}

/** The report of one training step: in the first replica, and in each. */
export interface StepReport extends ReplicaReport {
  /** By replica, if there are several. */
  readonly replicas: readonly ReplicaReport[];
}

/** How well one replica does on a data set. */
export interface ReplicaEvaluation {
  /** Mean loss over the data set, with the model's L2 and boundary terms, without dropout. NaN if the weights are all 0. */
  readonly loss: number;
  /**
   * Share, by weight, of the examples whose largest output is their label's; with sigmoidBinaryCrossEntropy, of those whose
   * outputs are all on their target's side of 1/2. NaN for losses without right and wrong outputs.
   */
  readonly accuracy: number;
  /**
   * For a model whose exact outputs are known, the weighted root mean square error of its outputs. NaN for all others.
   */
  readonly error: number;
}

/** An evaluation from the sums over a data set. */
export function evaluationOf(
  { hasAccuracy, hasError }: Pick<Program, "hasAccuracy" | "hasError">,
  loss: number,
  hits: number,
): ReplicaEvaluation {
  return {
    loss,
    // Weights are summed in float32 on the GPU and in float64 here.
    accuracy: hasAccuracy ? Math.min(1, hits) : Number.NaN,
    error: hasError ? Math.sqrt(hits) : Number.NaN,
  };
}

/** How well each replica does on a data set; the fields are those of the first. */
export interface Evaluation extends ReplicaEvaluation {
  /** By replica, if there are several. */
  readonly replicas: readonly ReplicaEvaluation[];
}

/** Options of a Hessian-vector product. */
export interface HessianOptions {
  /** The rows whose loss is used; only with data. */
  readonly rows?: Uint32Array | undefined;
  /** The replica; default the first. */
  readonly replica?: number | undefined;
}

/**
 * All replicas of its optimizer train on the same rows. A halted replica keeps its last losses and accuracies, or 0. Points on a
 * landscape need no rows, so calls take none. Each point's gradient is that of its own loss, while the reported loss is the mean
 * of all.
 */
export interface Objective {
  /**
   * One training step on these rows of the data set: gradient, then update. If all rows have weight 0, loss and gradient are 0,
   * except for the model's L2 and boundary terms. On the GPU it returns at once: the report arrives when the step has run, and
   * further steps may be started meanwhile.
   *
   * @throws OptionError for no rows, or more than the batch the objective was created for; DeviceError, as every call of an
   * objective on the GPU does, after `destroy` of it or its optimizer, and where the device is lost or refuses the work. Work
   * that did not run is never reported. A call that fails because of a later `destroy` need not be awaited.
   */
  step(rows?: Uint32Array): Promise<StepReport>;
  /** Computes loss and gradients of these rows into the gradient arena, without an update; resolves to each replica's loss. */
  gradient(rows?: Uint32Array): Promise<readonly number[]>;
  /**
   * Loss and accuracy over a whole data set of any size, at the current parameters; `onProgress` is called with the number of
   * rows done. Make no steps meanwhile.
   *
   * @throws OptionError if the optimizer made updates meanwhile, as its batches may then be of different parameters.
   */
  evaluate(data?: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation>;
  /**
   * The product of the loss's Hessian, at a replica's parameters, with a vector that has a value for every parameter; parameters,
   * gradients and state stay as they are. It is computed from central differences of gradients along the vector, at strides that
   * shrink until two differences agree (within 2e-4 of the product on the GPU, in float32, and 1e-8 on the CPU, in float64) or
   * rounding sets them apart. Compared with PyTorch's exact products for wide, saturated and recurrent networks it was within
   * 1e-3 on the GPU and 1e-7 on the CPU, relative to the larger of the product and the largest curvature times the vector. If a
   * relu bends between the strides, it is the product of neither side. Make no steps meanwhile.
   *
   * @throws OptionError for rows as {@link Objective.step}, for a vector that lacks a tensor or is not finite, and for a halted
   * replica.
   */
  hessianVector(vector: TensorValues, options?: HessianOptions): Promise<TensorValues>;
  /**
   * The objective as a function of a vector, over fixed rows, with memory of its own; `destroy` it when done.
   *
   * @throws OptionError for rows as {@link Objective.step}, for unknown tensors, and for an unknown or halted replica;
   * DeviceError if it does not fit, before anything is made.
   */
  field(options?: FieldOptions): Promise<Field>;
  /** Frees everything the objective made; the optimizer is not destroyed. */
  destroy(): void;
}

/**
 * Binds a program's tensors to an optimizer's, and to its data.
 *
 * @throws OptionError if they do not fit each other, or the batch is not a whole number >= 1; DataError for bad data.
 */
export function bind(
  optimizer: Pick<Optimizer, "segments">,
  trainable: Trainable,
  options: ObjectiveOptions,
): { readonly program: Program; readonly binding: Binding } {
  const program = programOf(trainable);
  const { data, batch, microBatch } = readFields("options", options, [
    "data",
    "batch",
    "microBatch",
  ]) as ObjectiveOptions;
  const bound = program.segmentsOf(optimizer.segments);
  const mustHold = holding(optimizer, bound);
  if (!program.needsData) {
    for (const [name, value] of Object.entries({ data, batch, microBatch })) {
      if (value === undefined) continue;
      throw new OptionError(`${name} is ${show(value)}; ${program.title} takes no data, so it must be left out`);
    }
    return { program, binding: { segments: bound, data: undefined, batch: 1, microBatch: undefined, mustHold } };
  }
  readDataset("data", data as Dataset);
  readNumber("batch", batch, { min: 1, integer: true });
  if (microBatch !== undefined) {
    readNumber("microBatch", microBatch, { min: 1, integer: true });
    if (!program.memory.divides) {
      throw new OptionError(
        `microBatch is ${microBatch}; ${program.title} does not split its batches, so it must be left out`,
      );
    }
  }
  checkProgramData(program, data!);
  return { program, binding: { segments: bound, data, batch: batch!, microBatch, mustHold } };
}

/** Whether an optimizer's tensors, of which an objective uses some, still have the rows that they had. */
function holding(optimizer: Pick<Optimizer, "segments">, bound: readonly Segment[]): () => void {
  const before = optimizer.segments;
  const places = bound.map((segment) => before.indexOf(segment));
  return () => {
    const { segments } = optimizer;
    const changed = bound.findIndex((segment, i) => segments[places[i]!] !== segment);
    if (changed < 0) return;
    const { name, shape } = bound[changed]!;
    throw new OptionError(
      `tensor "${name}" has ${segments[places[changed]!]!.shape[0]} rows in use; the objective was made for ${shape[0]}: make it anew after setRows()`,
    );
  };
}

/** @throws OptionError if the data does not fit the program, DataError for bad data. */
export function checkProgramData(program: Program, data: Dataset): void {
  program.checkFit(data);
  checkDataset(data);
  program.checkAnswers(data);
}

/** @throws OptionError for bad arguments of `evaluate`, DataError for bad data. */
export function checkEvaluation(program: Program, data: Dataset | undefined, onProgress: unknown): void {
  readListener("onProgress", onProgress);
  if (program.needsData) {
    readDataset("data", data as Dataset);
    checkProgramData(program, data!);
  } else if (data !== undefined) {
    throw new OptionError(`data is ${show(data)}; ${program.title} takes no data, so it must be left out`);
  }
}

/** @throws OptionError if steps were made during an evaluation, counted before and after it. */
export function mustStand(before: number, after: number): void {
  if (before !== after) throw new OptionError("steps were made during evaluate(); await it before a step");
}

/** Σ weight over rows, the divisor of the sum of weighted losses; 0 if no row counts. */
export function weightOf(rows: Uint32Array, { weights }: Pick<Dataset, "weights">): number {
  return weights ? rows.reduce((total, row) => total + weights[row]!, 0) : rows.length;
}

/** The divisor for a batch: 1 if no row counts, so that its loss is 0 and it has no gradient of its own. */
export function batchWeight(rows: Uint32Array, data: Pick<Dataset, "weights">): number {
  return weightOf(rows, data) || 1;
}

/**
 * The 2-norm of a vector over all parameters.
 *
 * @throws OptionError if a tensor is missing, of the wrong length or not finite, or if all are zero.
 */
export function vectorNorm(segments: readonly Segment[], vector: TensorValues): number {
  readMade("vector", vector, "an object of arrays by tensor name", {});
  for (const { name, length } of segments) {
    const values: unknown = vector[name];
    if (values !== undefined && !Array.isArray(values) && !(ArrayBuffer.isView(values) && "length" in values)) {
      throw refusal(`vector["${name}"]`, values, "an array of numbers");
    }
    if (values?.length !== length) {
      const given = values ? `has ${values.length} numbers` : "is missing";
      throw new OptionError(`vector["${name}"] ${given}; the tensor has ${length}`);
    }
  }
  const norm = normOf(segments.map(({ name }) => vector[name]!));
  if (!Number.isFinite(norm) || norm === 0) {
    throw new OptionError(`vector has norm ${norm}; it must be finite and > 0`);
  }
  return norm;
}

/** The results of all replicas, with those of the first as fields. */
export function firstAndEach<T extends object>(replicas: readonly T[]): T & { readonly replicas: readonly T[] } {
  return { ...replicas[0]!, replicas };
}

/** The rows of a whole data set in order, a batch at a time. */
export function* rowsInOrder(count: number, batch: number): Generator<Uint32Array> {
  for (let start = 0; start < count; start += batch) {
    yield Uint32Array.from({ length: Math.min(batch, count - start) }, (_, i) => start + i);
  }
}

/** No rows, as a program without data takes them. */
const noRows = new Uint32Array();

/**
 * The rows of a step.
 *
 * @throws OptionError if a step gets no rows, too many, or one that the data set does not have, and after `setRows`.
 */
export function readRows(
  rows: Uint32Array | undefined,
  { title }: Program,
  { data, batch, mustHold }: Binding,
): Uint32Array {
  mustHold();
  if (!data) {
    if (rows === undefined) return noRows;
    throw new OptionError(`rows is ${show(rows)}; ${title} takes no data, so it must be left out`);
  }
  if (!(rows instanceof Uint32Array)) {
    throw refusal("rows", rows, "a Uint32Array of row numbers");
  }
  if (rows.length < 1 || rows.length > batch) {
    throw new OptionError(`a step was given ${rows.length} rows; this objective takes 1 to ${batch}`);
  }
  const bad = rows.find((row) => row >= data.count);
  if (bad !== undefined) throw new OptionError(`a step was given row ${bad}; ${data.name} has ${data.count} rows`);
  return rows;
}
