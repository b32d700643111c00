// Losses: each is one entry, with its option, its formula in float64 and its twin in WGSL; and reading them from configs. Every
// loss is a mean over the examples, and also over an example's outputs if it treats each output alone.
import binaryCrossEntropy from "../../shaders/objectives/losses/binary_cross_entropy.wgsl?raw";
import elementwise from "../../shaders/objectives/losses/elementwise.wgsl?raw";
import huber from "../../shaders/objectives/losses/huber.wgsl?raw";
import meanSquaredError from "../../shaders/objectives/losses/mean_squared_error.wgsl?raw";
import softmaxCrossEntropy from "../../shaders/objectives/losses/softmax_cross_entropy.wgsl?raw";
import { DataError, OptionError } from "../base/errors.ts";
import type { Aliases, Name } from "../base/names.ts";
import { type Range, readNumber } from "../base/options.ts";
import { readFields, readName } from "../base/words.ts";
import type { Judge, Judgement } from "./criterion.ts";
import { type Dataset, type DatasetShape, datasetNoun, rowNumber } from "./data/dataset.ts";

/** A loss of one output and its target, and its derivative by the output. */
interface Term {
  readonly loss: number;
  readonly slope: number;
}

/** The definition of a loss. */
interface LossEntry {
  /** Its option, which kernels read as `sizes.option`; absent if it has none. */
  readonly option?: { readonly name: string; readonly range: Range; readonly default: number };
  /** Whether outputs are right or wrong, so that there is an accuracy. */
  readonly hasAccuracy: boolean;
  /** The loss of each output alone; absent if the loss takes all outputs of an example at once. */
  readonly each?: (option: number) => (output: number, target: number) => Term;
  /** Files of shaders/objectives/losses, without their ending, with their text: together they define `judge`. */
  readonly wgsl: Readonly<Record<string, string>>;
}

const labelSmoothing = { name: "labelSmoothing", range: { min: 0, below: 1 }, default: 0 } as const;

/** The name of a loss. */
export type LossName = CompleteLossConfig["type"];

/** A loss as JSON: its `type`, and its option if it has one. */
export interface LossConfig {
  /** Which loss. */
  readonly type: Name<LossName>;
  /** For the cross-entropies, in [0, 1), default 0. */
  readonly labelSmoothing?: number | undefined;
  /** For "huber": the difference up to which it is a square, > 0, default 1. */
  readonly delta?: number | undefined;
}

/** {@link LossConfig} with every default filled in. */
export type CompleteLossConfig =
  | { readonly type: "softmaxCrossEntropy" | "sigmoidBinaryCrossEntropy"; readonly labelSmoothing: number }
  | { readonly type: "meanSquaredError" }
  | { readonly type: "huber"; readonly delta: number };

/** Losses by name. */
export const lossEntries: Readonly<Record<LossName, LossEntry>> = {
  /**
   * -log softmax(outputs)[label], for integer labels. `labelSmoothing` s, in [0, 1), default 0: the label counts 1 - s and
   * all classes together s (Szegedy et al. 2015, as in torch.nn.CrossEntropyLoss).
   */
  softmaxCrossEntropy: {
    option: labelSmoothing,
    hasAccuracy: true,
    wgsl: { softmax_cross_entropy: softmaxCrossEntropy },
  },
  /**
   * Binary cross-entropy of sigmoid(output) with targets in [0, 1] (torch.nn.BCEWithLogitsLoss), the mean over the outputs.
   * `labelSmoothing` s, in [0, 1), default 0: a target t counts as t·(1 - s) + s/2.
   */
  sigmoidBinaryCrossEntropy: {
    option: labelSmoothing,
    hasAccuracy: true,
    each: (smoothing) => (logit, given) => {
      const target = given * (1 - smoothing) + smoothing / 2;
      // Only exponentials below 1 are formed, so none overflows.
      const small = Math.exp(-Math.abs(logit));
      const share = logit >= 0 ? 1 / (1 + small) : small / (1 + small);
      return { loss: Math.max(logit, 0) - logit * target + Math.log1p(small), slope: share - target };
    },
    wgsl: { binary_cross_entropy: binaryCrossEntropy, elementwise },
  },
  /** (output - target)², the mean over the outputs (torch.nn.MSELoss). */
  meanSquaredError: {
    hasAccuracy: false,
    each: () => (output, target) => ({ loss: (output - target) ** 2, slope: 2 * (output - target) }),
    wgsl: { mean_squared_error: meanSquaredError, elementwise },
  },
  /** d²/2 of a difference d up to `delta` (> 0, default 1), delta·(|d| - delta/2) above (Huber 1964, torch.nn.HuberLoss). */
  huber: {
    option: { name: "delta", range: { above: 0 }, default: 1 },
    hasAccuracy: false,
    each: (delta) => (output, target) => {
      const d = output - target;
      const size = Math.abs(d);
      return size <= delta
        ? { loss: (d * d) / 2, slope: d }
        : { loss: delta * (size - delta / 2), slope: Math.sign(d) * delta };
    },
    wgsl: { huber, elementwise },
  },
};

/** The names of all losses. */
const losses = Object.keys(lossEntries) as readonly LossName[];

/** Other words for losses. */
const lossAliases: Aliases<LossName> = {
  crossentropy: "softmaxCrossEntropy",
  categoricalcrossentropy: "softmaxCrossEntropy",
  sparsecategoricalcrossentropy: "softmaxCrossEntropy",
  binarycrossentropy: "sigmoidBinaryCrossEntropy",
  bce: "sigmoidBinaryCrossEntropy",
  bcewithlogits: "sigmoidBinaryCrossEntropy",
  mse: "meanSquaredError",
  l2: "meanSquaredError",
  smoothl1: "huber",
};

/** @throws OptionError for anything but a loss. */
export function readLoss(value: unknown): CompleteLossConfig {
  if (value === undefined) return readLoss("softmaxCrossEntropy");
  if (typeof value !== "object" || value === null)
    return readLoss({ type: readName("model.loss", value, losses, lossAliases) });
  const type = readName("model.loss.type", "type" in value ? value.type : undefined, losses, lossAliases);
  const { option } = lossEntries[type];
  const fields = readFields("model.loss", value, option ? ["type", option.name] : ["type"]);
  if (!option) return { type } as CompleteLossConfig;
  const given = fields[option.name];
  const number = given === undefined ? option.default : readNumber(`model.loss.${option.name}`, given, option.range);
  return { type, [option.name]: number } as CompleteLossConfig;
}

/** The value of a loss's option; 0 if it has none. */
export function optionOf(config: CompleteLossConfig): number {
  const { option } = lossEntries[config.type];
  return option ? (config as unknown as Readonly<Record<string, number>>)[option.name]! : 0;
}

/**
 * @param where How a config sets the number of outputs: "model.outputs is 3".
 * @throws OptionError if a loss over this many outputs does not fit the data.
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
  if (!("classes" in data) && data.outputs === 0) {
    throw new OptionError(
      `model.loss is ${type}, which needs labels or targets; ${data.name} has ${datasetNoun(data)}`,
    );
  }
  const binary = type === "sigmoidBinaryCrossEntropy" && "classes" in data && data.classes <= 2;
  const wanted = "classes" in data ? data.classes : data.outputs;
  if (outputs === wanted || (binary && outputs === 1)) return;
  throw new OptionError(
    `${where}; ${data.name} has ${datasetNoun(data)}, for which ${type} needs ${binary ? "1 or 2" : wanted}`,
  );
}

/**
 * What the outputs are compared with, row after row: labels become the targets 0 and 1, one for each class, or the label itself
 * if there is one output.
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

/** A loss bound to a data set. */
export function judgeOf(config: CompleteLossConfig, outputs: number, data: Dataset): Judge {
  if (config.type === "softmaxCrossEntropy") {
    const { labels } = data;
    if (!labels) throw new OptionError(`model.loss is softmaxCrossEntropy, which needs labels; ${data.name} has none`);
    return (logits, row) => judgeSoftmax(logits, labels[row]!, config.labelSmoothing);
  }
  const targets = targetsOf(config, outputs, data);
  const each = lossEntries[config.type].each!(optionOf(config));
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
    return { loss, hit: Number(hit && Number.isFinite(loss)) };
  };
}

/** The largest logit is subtracted first, so that no exponential overflows. */
function judgeSoftmax(logits: Float64Array, label: number, smoothing: number): Judgement {
  let [top, best, sum] = [Number.NEGATIVE_INFINITY, 0, 0];
  logits.forEach((logit, c) => {
    if (logit > top) [top, best] = [logit, c];
    sum += logit;
  });
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - top);
  const classes = logits.length;
  // Without smoothing the other logits do not count, even if one is -∞.
  const mean = smoothing === 0 ? 0 : smoothing * (sum / classes);
  const off = top - ((1 - smoothing) * logits[label]! + mean);
  const loss = Math.log(total) + off;
  for (let c = 0; c < classes; c++) {
    const wanted = (c === label ? 1 - smoothing : 0) + smoothing / classes;
    logits[c] = Math.exp(logits[c]! - top) / total - wanted;
  }
  // If a logit is NaN, none is the largest.
  return { loss, hit: Number(Number.isFinite(loss) && best === label) };
}
