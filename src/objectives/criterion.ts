// A criterion: what a model's outputs are compared with, the answers of a data set or an equation; the same for both engines.

import type { CreateBuffer } from "../engines/gpu/allocate.ts";
import type { Dispatch } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { Operand } from "../engines/products/product.ts";
import type { Dataset, DatasetShape } from "./data/dataset.ts";

/** The outcome of one example. */
export interface Judgement {
  readonly loss: number;
  /** A second sum: 1 if the outputs are right, else 0; or the square of their distance from the exact ones. */
  readonly hit: number;
}

/** Takes the loss of one example's outputs, and replaces them by its derivatives. */
export type Judge = (outputs: Float64Array, row: number) => Judgement;

/** The buffers that a criterion's kernel reads and writes. */
export interface JudgedBuffers {
  /** The rows of the batch. */
  readonly batch: GPUBufferBinding;
  readonly inputs: Operand;
  /** Replaced by the derivatives. */
  readonly outputs: Operand;
  readonly outcomes: GPUBuffer;
  /** Terms that are added to every mean loss, for each replica: first those of the model's anchors. */
  readonly penalty: GPUBuffer | undefined;
  /** Whether it is the batch's first part, with which the anchors' derivatives go. */
  readonly first: boolean;
}

/** Uploads the parts of a data set that a kernel needs, and returns a function that binds the kernel to buffers. */
export type BuildJudge = (create: CreateBuffer) => (buffers: JudgedBuffers) => Dispatch;

export interface Criterion {
  /** Its name in errors: "softmaxCrossEntropy", "poisson". */
  readonly name: string;
  /** Whether hits are those of right outputs, so that there is an accuracy. */
  readonly hasAccuracy: boolean;
  /** Whether hits are squared distances from exact outputs, so that there is an error. */
  readonly hasError: boolean;
  /** @throws OptionError if it does not take the answers of the data. */
  checkFit(data: DatasetShape): void;
  /** @throws DataError for answers out of its range. */
  checkAnswers(data: Dataset): void;
  /** A judge over a data set. */
  judge(data: Dataset): Judge;
  /**
   * Its kernel over `capacity` rows of a data set.
   *
   * @throws DeviceError where it does not compile, DataError for answers out of its range.
   */
  compile(optimizer: GpuOptimizer, data: Dataset, capacity: number): Promise<BuildJudge>;
}
