// An objective: a model with its data, bound to an optimizer's arenas. It computes the loss and the batched gradient; the
// optimizer does the rest. The same interface on both engines.
import type { Segment } from "../arena.ts";
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { OptionError } from "../errors.ts";
import type { Stats } from "../optimizer.ts";
import { readNumber } from "../options.ts";
import { type Model, modelTensors } from "./model.ts";

/** What one training step found in one replica; `loss` is the batch's mean before the update. */
export interface ReplicaReport {
  readonly loss: number;
  /** Norm of the gradient before clipping; NaN where none is computed. */
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

/** What one training step found: in the first replica, and in each. */
export interface StepReport extends ReplicaReport {
  readonly replicas: readonly ReplicaReport[];
}

/** How well one replica does on a data set. */
export interface ReplicaEvaluation {
  /** Mean loss over the data set. */
  readonly loss: number;
  /** Share of the examples whose largest logit is their label's. */
  readonly accuracy: number;
}

/** How well the first replica does on a data set, and each. */
export interface Evaluation extends ReplicaEvaluation {
  readonly replicas: readonly ReplicaEvaluation[];
}

/**
 * All replicas of its optimizer learn from the same rows. Of a replica that is halted, losses and accuracies are those of
 * before, or 0.
 */
export interface Objective {
  /**
   * One training step on these rows of the data set: gradient, then update. Returns at once on the GPU: the report comes
   * when the step has run, and further steps may be started meanwhile.
   *
   * @throws OptionError for no rows, or more than the batch the objective was created for.
   */
  step(rows: Uint32Array): Promise<StepReport>;
  /** Computes loss and gradients of these rows into the gradient arena, without an update; resolves to each replica's loss. */
  gradient(rows: Uint32Array): Promise<readonly number[]>;
  /**
   * Loss and accuracy over a whole data set of any size, with the parameters as they are; `onProgress` hears how many
   * rows are done.
   */
  evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation>;
  destroy(): void;
}

/**
 * @throws OptionError when an optimizer's tensors are not the model's, the batch is no whole number >= 1, or the data does
 * not fit the model; DataError for bad data.
 */
export function checkBinding(segments: readonly Segment[], model: Model, data: Dataset, batch: number): void {
  readNumber("batch", batch, { min: 1, integer: true });
  for (const { name, shape } of modelTensors(model)) {
    const found = segments.find((segment) => segment.name === name)?.shape;
    if (found?.join() !== shape.join()) {
      throw new OptionError(
        `the optimizer's tensor "${name}" ${found ? `has shape [${found.join(", ")}]` : "is missing"}; the model's has [${shape.join(", ")}]`,
      );
    }
  }
  checkFit(model, data);
  checkDataset(data);
}

/** @throws OptionError when the data's rows or classes do not fit the model. */
export function checkFit(model: Model, data: Pick<Dataset, "name" | "features" | "classes">): void {
  const widths = model.config.layers;
  const [inputs, outputs] = [widths[0]!, widths[widths.length - 1]!];
  if (inputs !== data.features) {
    throw new OptionError(`model.layers[0] is ${inputs}; the rows of ${data.name} have ${data.features} numbers`);
  }
  if (outputs < data.classes) {
    throw new OptionError(`model.layers[${widths.length - 1}] is ${outputs}; ${data.name} has ${data.classes} classes`);
  }
}

/** What is known of each replica, and of the first one alone. */
export function firstAndEach<T extends object>(replicas: readonly T[]): T & { readonly replicas: readonly T[] } {
  return { ...replicas[0]!, replicas };
}

/** The rows of a whole data set in order, a batch at a time. */
export function* rowsInOrder(count: number, batch: number): Generator<Uint32Array> {
  for (let start = 0; start < count; start += batch) {
    yield Uint32Array.from({ length: Math.min(batch, count - start) }, (_, i) => start + i);
  }
}

/** @throws OptionError when a step is given no rows, too many, or one that the data set does not have. */
export function checkRows(rows: Uint32Array, batch: number, data: Dataset): void {
  if (rows.length < 1 || rows.length > batch) {
    throw new OptionError(`a step was given ${rows.length} rows; this objective takes 1 to ${batch}`);
  }
  const bad = rows.find((row) => row >= data.count);
  if (bad !== undefined) throw new OptionError(`a step was given row ${bad}; ${data.name} has ${data.count} rows`);
}
