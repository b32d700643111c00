// Losses as JSON, and what each makes of one example's outputs on the CPU, in float64; shaders/objectives/loss_*.wgsl are
// their twins. Every loss is a mean over the examples, and over an example's outputs where it looks at them one by one.
import { type Dataset, type DatasetShape, datasetNoun, rowNumber } from "../data/dataset.ts";
import { DataError, OptionError } from "../errors.ts";
import { readChoice, readNumber, readObject } from "../options.ts";

export const losses = ["softmaxCrossEntropy", "sigmoidBinaryCrossEntropy", "meanSquaredError", "huber"] as const;

/** A loss as JSON; a name alone stands for the loss with its defaults. */
export type LossConfig =
  /**
   * -log softmax(outputs)[label], for integer labels. `labelSmoothing` s, in [0, 1), default 0: the label counts 1 - s and
   * all classes together s (Szegedy et al. 2015, as torch.nn.CrossEntropyLoss has it).
   */
  | { readonly type: "softmaxCrossEntropy"; readonly labelSmoothing?: number | undefined }
  /**
   * Binary cross-entropy of sigmoid(output) with targets in [0, 1] (torch.nn.BCEWithLogitsLoss), the mean over the outputs.
   * `labelSmoothing` s, in [0, 1), default 0: a target t counts as t·(1 - s) + s/2.
   */
  | { readonly type: "sigmoidBinaryCrossEntropy"; readonly labelSmoothing?: number | undefined }
  /** (output - target)², the mean over the outputs (torch.nn.MSELoss). */
  | { readonly type: "meanSquaredError" }
  /** d²/2 of a difference d up to `delta` (> 0, default 1), delta·(|d| - delta/2) above (Huber 1964, torch.nn.HuberLoss). */
  | { readonly type: "huber"; readonly delta?: number | undefined };

/** With every default filled in. */
export type CompleteLossConfig =
  | { readonly type: "softmaxCrossEntropy" | "sigmoidBinaryCrossEntropy"; readonly labelSmoothing: number }
  | { readonly type: "meanSquaredError" }
  | { readonly type: "huber"; readonly delta: number };

/** @throws OptionError for what is no loss. */
export function readLoss(value: unknown): CompleteLossConfig {
  if (value === undefined) return { type: "softmaxCrossEntropy", labelSmoothing: 0 };
  if (typeof value !== "object" || value === null) return readLoss({ type: readChoice("model.loss", value, losses) });
  const type = readChoice("model.loss.type", "type" in value ? value.type : undefined, losses);
  switch (type) {
    case "meanSquaredError":
      readObject("model.loss", value, ["type"]);
      return { type };
    case "huber": {
      const { delta } = readObject("model.loss", value, ["type", "delta"]);
      return { type, delta: delta === undefined ? 1 : readNumber("model.loss.delta", delta, { above: 0 }) };
    }
    default: {
      const { labelSmoothing: s } = readObject("model.loss", value, ["type", "labelSmoothing"]);
      const labelSmoothing = s === undefined ? 0 : readNumber("model.loss.labelSmoothing", s, { min: 0, below: 1 });
      return { type, labelSmoothing };
    }
  }
}

/** Whether a loss distinguishes right from wrong outputs, so that there is an accuracy. */
export function hasAccuracy({ type }: CompleteLossConfig): boolean {
  return type === "softmaxCrossEntropy" || type === "sigmoidBinaryCrossEntropy";
}

/**
 * @param where How a config says the number of outputs: "model.outputs is 3".
 * @throws OptionError where a loss over so many outputs cannot be taken of such data.
 */
export function checkAnswers({ type }: CompleteLossConfig, outputs: number, where: string, data: DatasetShape): void {
  if (type === "softmaxCrossEntropy") {
    if (!("classes" in data)) {
      throw new OptionError(
        `model.loss is softmaxCrossEntropy, which needs labels; ${data.name} has ${datasetNoun(data)}`,
      );
    }
    if (outputs < data.classes) {
      throw new OptionError(`${where}; ${data.name} has ${data.classes} classes`);
    }
    return;
  }
  const binary = type === "sigmoidBinaryCrossEntropy" && "classes" in data && data.classes <= 2;
  const wanted = "classes" in data ? data.classes : data.outputs;
  if (outputs === wanted || (binary && outputs === 1)) return;
  throw new OptionError(
    `${where}; ${data.name} has ${datasetNoun(data)}, for which ${type} needs ${binary ? "1 or 2" : wanted}`,
  );
}

/**
 * What the outputs are held against, row after row: of labels the targets 0 and 1, one for each class, or the label itself
 * where there is one output.
 *
 * @throws DataError for targets out of the loss's range, with the row.
 */
export function targetsOf({ type }: CompleteLossConfig, outputs: number, data: Dataset): Float32Array {
  if (data.labels) {
    if (outputs === 1) return Float32Array.from(data.labels);
    const targets = new Float32Array(data.count * outputs);
    data.labels.forEach((label, row) => {
      targets[row * outputs + label] = 1;
    });
    return targets;
  }
  if (type === "sigmoidBinaryCrossEntropy") {
    const bad = data.targets.findIndex((target) => !(target >= 0 && target <= 1));
    if (bad >= 0) {
      throw new DataError(
        `${data.name}: row ${rowNumber(data, Math.floor(bad / outputs))} has target ${data.targets[bad]}; ${type} takes targets in [0, 1]`,
      );
    }
  }
  return data.targets;
}

/** One example's loss, and whether the outputs are right. */
export interface Judgement {
  readonly loss: number;
  readonly hit: boolean;
}

/** Takes the loss of one example's outputs, and replaces them by its derivatives. */
export type Judge = (outputs: Float64Array, row: number) => Judgement;

/** A loss bound to a data set. */
export function judgeOf(config: CompleteLossConfig, outputs: number, data: Dataset): Judge {
  if (config.type === "softmaxCrossEntropy") {
    const { labels } = data;
    if (!labels) throw new OptionError(`model.loss is softmaxCrossEntropy, which needs labels; ${data.name} has none`);
    return (logits, row) => softmaxCrossEntropy(logits, labels[row]!, config.labelSmoothing);
  }
  const targets = targetsOf(config, outputs, data);
  const each = elementwise(config);
  return (values, row) => {
    let [loss, hit] = [0, true];
    for (let j = 0; j < outputs; j++) {
      const value = values[j]!;
      const target = targets[row * outputs + j]!;
      const found = each(value, target);
      loss += found.loss / outputs;
      values[j] = found.slope / outputs;
      hit &&= value > 0 === target > 0.5;
    }
    return { loss, hit: hit && Number.isFinite(loss) };
  };
}

/** The largest logit is taken off first, so that none is too large. */
function softmaxCrossEntropy(logits: Float64Array, label: number, smoothing: number): Judgement {
  let [top, best, sum] = [Number.NEGATIVE_INFINITY, 0, 0];
  logits.forEach((logit, c) => {
    if (logit > top) [top, best] = [logit, c];
    sum += logit;
  });
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - top);
  const classes = logits.length;
  const off = top - ((1 - smoothing) * logits[label]! + smoothing * (sum / classes));
  const loss = Math.log(total) + off;
  for (let c = 0; c < classes; c++) {
    const wanted = (c === label ? 1 - smoothing : 0) + smoothing / classes;
    logits[c] = Math.exp(logits[c]! - top) / total - wanted;
  }
  // Of logits that are no numbers none is the largest.
  return { loss, hit: Number.isFinite(loss) && best === label };
}

function elementwise(config: CompleteLossConfig): (value: number, target: number) => { loss: number; slope: number } {
  switch (config.type) {
    case "meanSquaredError":
      return (value, target) => ({ loss: (value - target) ** 2, slope: 2 * (value - target) });
    case "huber": {
      const { delta } = config;
      return (value, target) => {
        const d = value - target;
        const size = Math.abs(d);
        return size <= delta
          ? { loss: (d * d) / 2, slope: d }
          : { loss: delta * (size - delta / 2), slope: Math.sign(d) * delta };
      };
    }
    default: {
      const { labelSmoothing: s } = config;
      return (logit, given) => {
        const target = given * (1 - s) + s / 2;
        // Of exp only what is below 1 is formed.
        const small = Math.exp(-Math.abs(logit));
        const share = logit >= 0 ? 1 / (1 + small) : small / (1 + small);
        return { loss: Math.max(logit, 0) - logit * target + Math.log1p(small), slope: share - target };
      };
    }
  }
}
