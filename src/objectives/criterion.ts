// What a model's outputs are held against: the answers of a data set, or an equation; as the programs on either engine ask it.

import type { CreateBuffer } from "../engines/gpu/allocate.ts";
import type { Dispatch } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import type { Operand } from "../engines/products/product.ts";
import type { Dataset, DatasetShape } from "./data/dataset.ts";

/** What one example comes to. */
export interface Judgement {
  readonly loss: number;
  /** What is summed beside it: 1 where the outputs are right, else 0; or the square of their distance from what is exact. */
  readonly hit: number;
}

/** Takes the loss of one example's outputs, and replaces them by its derivatives. */
export type Judge = (outputs: Float64Array, row: number) => Judgement;

/** The buffers between which a criterion's kernel stands. */
export interface JudgedBuffers {
  /** The rows in hand. */
  readonly batch: GPUBufferBinding;
  readonly inputs: Operand;
  /** Replaced by the derivatives. */
  readonly outputs: Operand;
  readonly outcomes: GPUBuffer;
  /** What is added to every mean loss, of each replica: first those of the model's anchors. */
  readonly penalty: GPUBuffer | undefined;
  /** Whether it is the batch's first part, with which the anchors' derivatives go. */
  readonly first: boolean;
}

/** Uploads what a kernel must know of a data set; what that makes binds the kernel to buffers. */
export type BuildJudge = (create: CreateBuffer) => (buffers: JudgedBuffers) => Dispatch;

export interface Criterion {
  /** What errors call it: "softmaxCrossEntropy", "poisson". */
  readonly name: string;
  /** Whether hits are those of right outputs, so that there is an accuracy. */
  readonly hasAccuracy: boolean;
  /** Whether hits are squared distances from what is exact, so that there is an error. */
  readonly hasError: boolean;
  /** @throws OptionError where the answers of data are not those that it takes. */
  checkFit(data: DatasetShape): void;
  /** @throws DataError for answers out of its range. */
  checkAnswers(data: Dataset): void;
  /** Bound to a data set. */
  judge(data: Dataset): Judge;
  /**
   * Its kernel over so many rows of a data set.
   *
   * @throws DeviceError where it does not compile, DataError for answers out of its range.
   */
  compile(optimizer: GpuOptimizer, data: Dataset, capacity: number): Promise<BuildJudge>;
}
