// Predictions from a model's outputs, by its loss: a class with probabilities, or numbers.
import { DataError } from "../base/errors.ts";
import type { ClassesOption } from "./data/labels.ts";
import type { CompleteLossConfig } from "./loss.ts";
import type { Model } from "./model.ts";

/** A classifier's prediction for a row. */
export interface ClassPrediction {
  /** The most probable class: its name if names are known, else its number. */
  readonly class: string | number;
  /**
   * The probability of each class, in order. With softmaxCrossEntropy they add up to 1; with sigmoidBinaryCrossEntropy each is that
   * of its output alone, and for a single output p they are 1 - p and p.
   */
  readonly probabilities: readonly number[];
  /** A class has none. */
  readonly values?: undefined;
}

/** The numbers that a model predicts for a row. */
export interface ValuePrediction {
  /**
   * One number for each output; with sigmoidBinaryCrossEntropy its probability, in [0, 1].
   */
  readonly values: readonly number[];
  /** Numbers have none. */
  readonly class?: undefined;
  /** Numbers have none. */
  readonly probabilities?: undefined;
}

/** A model's prediction for a row. */
export type Prediction = ClassPrediction | ValuePrediction;

/** The loss of a model; undefined if its criterion is an equation. */
export function lossOf({ config }: Model): CompleteLossConfig | undefined {
  return "loss" in config ? (config.loss as CompleteLossConfig) : undefined;
}

/**
 * The predictions for all rows, from the outputs.
 *
 * @param classes How many classes there are, or their names; undefined if unknown, and for numbers to predict.
 * @throws DataError for outputs of a classifier that are not finite, with the row.
 */
export function interpret(
  model: Model,
  outputs: Float32Array | Float64Array,
  classes: ClassesOption | undefined,
): Prediction[] {
  const { outputs: width } = model;
  const loss = lossOf(model)?.type;
  const name = (label: number) => (typeof classes === "object" ? (classes[label] ?? label) : label);
  return Array.from({ length: outputs.length / width }, (_, row): Prediction => {
    const values = Array.from(outputs.subarray(row * width, (row + 1) * width));
    const isClass = loss === "softmaxCrossEntropy" || (loss === "sigmoidBinaryCrossEntropy" && classes !== undefined);
    if (!isClass) return { values: loss === "sigmoidBinaryCrossEntropy" ? values.map(sigmoid) : values };
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new DataError(`row ${row} has ${values[bad]} as output ${bad}; a class needs finite outputs`);
    if (loss === "softmaxCrossEntropy") return { class: name(largest(values)), probabilities: softmax(values) };
    const [only] = values;
    const probabilities = width === 1 ? [sigmoid(-only!), sigmoid(only!)] : values.map(sigmoid);
    return { class: name(largest(width === 1 ? [0, only!] : values)), probabilities };
  });
}

/** The index of the first of the largest values. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

/** The largest is subtracted first, so that no exponential overflows. */
function softmax(values: readonly number[]): number[] {
  const top = Math.max(...values);
  const shares = values.map((value) => Math.exp(value - top));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}

/** Only exponentials below 1 are formed, so none overflows. */
function sigmoid(value: number): number {
  const small = Math.exp(-Math.abs(value));
  return value >= 0 ? 1 / (1 + small) : small / (1 + small);
}
