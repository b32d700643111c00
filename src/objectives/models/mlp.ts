// Multilayer perceptrons, including linear, logistic and softmax regression (one layer): config, layers, and the passes on either
// engine.

import { OptionError, show } from "../../base/errors.ts";
import type { Name } from "../../base/names.ts";
import { readArray, readNumber } from "../../base/options.ts";
import { readFields, readName } from "../../base/words.ts";
import { product } from "../../engines/cpu/product.ts";
import {
  type Activation,
  activationAliases,
  activationFunctions,
  activations,
} from "../../engines/products/activation.ts";
import { type Dropout, dropped } from "../../engines/products/dropout.ts";
import type { Operand } from "../../engines/products/product.ts";
import { lossCriterion } from "../loss_criterion.ts";
import {
  type CompleteTrainingOptions,
  defineModel,
  type GpuPassContext,
  type Layer,
  type Model,
  type ModelKind,
  readTraining,
  type TrainingOptions,
  trainingOptionNames,
} from "../model.ts";
import { addColumnSums, addProduct, type CpuBatch, type CpuPass } from "../pass_cpu.ts";
import { forwardStep, type GpuPass, gradientStep, type ProductStep } from "../pass_gpu.ts";
import type { Values } from "../program.ts";

/** Options of a perceptron besides its layers. */
export interface MlpOptions extends TrainingOptions {
  /** The activation after every layer but the last; default relu. */
  readonly activation?: Name<Activation> | undefined;
  /**
   * In training, sets this share of each activation's outputs to zero and divides the rest by 1 - rate (Srivastava et al. 2014);
   * in [0, 1), default 0. As an object it also has a `seed`, a whole number in [0, 2^53), default 0. What is dropped depends only
   * on the seed, the layer, the data set's row and the optimizer's step.
   */
  readonly dropout?: number | { readonly rate: number; readonly seed?: number | undefined } | undefined;
}

/**
 * A multilayer perceptron: tensors `layerN.weight` of shape [in, out] and `layerN.bias` of shape [out], N from 1. With two
 * widths it is linear, logistic or softmax regression, according to its loss.
 */
export interface MlpConfig extends MlpOptions {
  /** The kind of model. */
  readonly type?: Name<"mlp"> | typeof mlp | undefined;
  /** Widths from the input to the outputs; at least two whole numbers >= 1. */
  readonly layers: readonly number[];
}

/** {@link MlpConfig} with every default filled in. */
export interface CompleteMlpConfig extends CompleteTrainingOptions {
  /** Always "mlp". */
  readonly type: "mlp";
  /** Widths from the input to the outputs. */
  readonly layers: readonly number[];
  /** The activation of the hidden layers. */
  readonly activation: Activation;
  /** The share of the hidden layers' outputs that training drops, and the seed of the choice. */
  readonly dropout: { readonly rate: number; readonly seed: number };
}

/** The type of `mlp`: the function that makes its config, and the kind of model. */
export interface MlpFunction extends ModelKind<MlpConfig> {
  /**
   * The config of a multilayer perceptron: `mlp([784, 256, 10])`.
   *
   * @param layers Widths from the input to the outputs.
   */
  (layers: readonly number[], options?: MlpOptions): MlpConfig & { readonly type: typeof mlp };
}

/** A multilayer perceptron: dense layers, each with an activation, and a loss. */
export const mlp: MlpFunction = Object.assign(
  (layers: readonly number[], options: MlpOptions = {}) => ({
    type: mlp,
    layers,
    ...readFields("mlp", options, ["activation", "dropout", "loss", "l2", "bias"]),
  }),
  { kind: "mlp", read, toJSON: () => "mlp" },
);

function read(config: MlpConfig): Model<CompleteMlpConfig> {
  const fields = readFields("model", config, ["layers", "activation", "dropout", ...trainingOptionNames]);
  const widths = readArray("model.layers", fields.layers, "widths").map((width, i) =>
    readNumber(`model.layers[${i}]`, width, { min: 1, integer: true }),
  );
  if (widths.length < 2) {
    throw new OptionError(`model.layers is ${show(widths)}; it must hold at least the widths of input and output`);
  }
  const activation =
    fields.activation === undefined
      ? "relu"
      : readName("model.activation", fields.activation, activations, activationAliases);
  const dropout = readDropout(fields.dropout);
  const training = readTraining(fields);
  const layers = widths.slice(1).map((outputs, i): Layer => {
    const last = i === widths.length - 2;
    return {
      inputs: widths[i]!,
      outputs,
      weight: `layer${i + 1}.weight`,
      bias: training.bias ? `layer${i + 1}.bias` : undefined,
      activation: last ? "linear" : activation,
      dropout: last || dropout.rate === 0 ? undefined : { ...dropout, stream: i },
    };
  });
  const [features, outputs] = [widths[0]!, widths[widths.length - 1]!];
  return defineModel({
    config: { type: "mlp", layers: widths, activation, dropout, ...training },
    title: widths.join("-"),
    features,
    outputs,
    criterion: lossCriterion(training.loss, outputs, `model.layers[${widths.length - 1}] is ${outputs}`),
    inputSide: `model.layers[0] is ${features}`,
    channels: 1,
    layers,
    init: activationFunctions[activation].rectifies ? "heNormal" : "glorotUniform",
    inputSteps: 1,
    rowMultiple: 4,
    widest: Math.max(...widths.slice(1)),
    cpuPass: (params, batch) => cpuPass(layers, params, batch),
    gpuPass: (context) => gpuPass(layers, context),
  });
}

function readDropout(value: unknown): CompleteMlpConfig["dropout"] {
  if (value === undefined) return { rate: 0, seed: 0 };
  const shares = { min: 0, below: 1 };
  if (typeof value !== "object") return { rate: readNumber("model.dropout", value, shares), seed: 0 };
  const { rate, seed } = readFields("model.dropout", value, ["rate", "seed"]);
  const seeds = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };
  return {
    rate: readNumber("model.dropout.rate", rate, shares),
    seed: seed === undefined ? 0 : readNumber("model.dropout.seed", seed, seeds),
  };
}

/**
 * A product for each layer forward, two backward. In the backward pass the derivatives by a layer's outputs replace what the
 * forward pass kept of them.
 */
function gpuPass(layers: readonly Layer[], { rows, replicas, inputs, tensors, create }: GpuPassContext): GpuPass {
  const matrix = (label: string, width: number): Operand => ({
    buffer: create(label, replicas * rows * width * 4),
    stride: rows * width,
  });
  const values = layers.map(({ outputs }, l) => matrix(`layer ${l + 1}`, outputs));
  /** The inputs of those activations whose derivative is computed from them. */
  const before = layers.map(({ outputs, activation }, l) =>
    activationFunctions[activation].keeps === "input" ? matrix(`layer ${l + 1} before`, outputs) : undefined,
  );
  const deltas = values.map((value, l) => before[l] ?? value);
  const inputsOf = (l: number) => values[l - 1] ?? inputs;
  return {
    outputs: values[layers.length - 1]!,
    forward: (training) =>
      layers.map((layer, l) =>
        forwardStep(tensors, layer, rows, inputsOf(l), values[l]!, {
          preactivation: before[l],
          dropout: training ? layer.dropout : undefined,
        }),
      ),
    backward: (accumulate) =>
      [...layers.keys()].reverse().flatMap((l): readonly ProductStep[] => {
        const layer = layers[l]!;
        const gradient = gradientStep(tensors, layer, rows, inputsOf(l), deltas[l]!, accumulate);
        const previous = layers[l - 1];
        if (!previous) return [gradient];
        const { activation, dropout } = previous;
        const epilogue = { type: "delta", activation, ...(dropout ? { dropout } : {}) } as const;
        const product = { m: rows, n: layer.inputs, k: layer.outputs, transposeB: true, epilogue };
        return [gradient, { product, a: deltas[l]!, b: tensors("params", layer.weight), c: deltas[l - 1]! }];
      }),
  };
}

/** Forward and backward, in float64. */
function cpuPass(layers: readonly Layer[], params: Values, { inputs, rows, step }: CpuBatch): CpuPass {
  const count = rows.length;
  const outputs = [inputs];
  /** The values from which each layer's activation derivative is computed. */
  const kept: Float64Array[] = [];
  layers.forEach(({ inputs: ins, outputs: outs, weight, bias, activation, dropout }, l) => {
    const z = new Float64Array(count * outs);
    product(z, outputs[l]!, params(weight), { m: count, k: ins, n: outs });
    if (bias !== undefined) {
      const offsets = params(bias);
      for (let i = 0, j = 0; i < z.length; i++, j = j + 1 < outs ? j + 1 : 0) z[i]! += offsets[j]!;
    }
    const { value, keeps } = activationFunctions[activation];
    const y = activation === "linear" ? z : z.map(value);
    kept.push(keeps === "input" ? z : dropout ? y.slice() : y);
    if (dropout && step !== undefined) applyDropout(dropout, step, rows, y);
    outputs.push(y);
  });
  return {
    outputs: outputs[layers.length]!,
    backward(last, gradients) {
      let delta = last;
      for (let l = layers.length - 1; l >= 0; l--) {
        const { inputs: ins, outputs: outs, weight, bias } = layers[l]!;
        addProduct(gradients(weight), outputs[l]!, delta, { m: ins, k: count, n: outs }, { transposeA: true });
        if (bias !== undefined) addColumnSums(gradients(bias), delta);
        const before = layers[l - 1];
        if (!before) return;
        const next = new Float64Array(count * ins);
        product(next, delta, params(weight), { m: count, k: outs, n: ins }, { transposeB: true });
        if (before.dropout && step !== undefined) applyDropout(before.dropout, step, rows, next);
        const { slope } = activationFunctions[before.activation];
        const from = kept[l - 1]!;
        for (let i = 0; i < next.length; i++) next[i]! *= slope(from[i]!);
        delta = next;
      }
    },
  };
}

/** Sets the dropped outputs of the rows to zero, and divides the rest by the share that is kept. */
function applyDropout(dropout: Dropout, step: number, rows: Uint32Array, matrix: Float64Array): void {
  const width = matrix.length / rows.length;
  rows.forEach((row, m) => {
    dropped(dropout, step, row, width).forEach((gone, j) => {
      const i = m * width + j;
      matrix[i] = gone ? 0 : matrix[i]! / (1 - dropout.rate);
    });
  });
}
