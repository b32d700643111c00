// Models as JSON: a multilayer perceptron's layers, activation and loss, and the tensors that follow from them.
import type { Tensor } from "../arena.ts";
import { OptionError, show } from "../errors.ts";
import { readArray, readChoice, readNumber, readObject } from "../options.ts";
import { type InitConfig, initialWeight, readInit } from "./init.ts";

export const activations = ["linear", "relu", "tanh"] as const;
export type Activation = (typeof activations)[number];

export const losses = ["softmaxCrossEntropy"] as const;

/** A multilayer perceptron: tensors `layerN.weight` of shape [in, out] and `layerN.bias` of shape [out], N from 1. */
export interface ModelConfig {
  /** Widths from the input to the classes; at least two whole numbers >= 1. */
  readonly layers: readonly number[];
  /** After every layer but the last; default relu. */
  readonly activation?: Activation;
  /** The mean over the batch of -log softmax(logits)[label]; the only loss so far. */
  readonly loss?: (typeof losses)[number];
}

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: string;
  readonly bias: string;
  /** What follows the layer's product and bias. */
  readonly activation: Activation;
}

/** A model's config, complete, and its layers. */
export interface Model {
  readonly config: Required<ModelConfig>;
  readonly layers: readonly Layer[];
}

/** @throws OptionError for a config that is no model. */
export function createModel(config: ModelConfig): Model {
  const fields = readObject("model", config, ["layers", "activation", "loss"]);
  const widths = readArray("model.layers", fields.layers, "widths").map((width, i) =>
    readNumber(`model.layers[${i}]`, width, { min: 1, integer: true }),
  );
  if (widths.length < 2) {
    throw new OptionError(`model.layers is ${show(widths)}; it must hold the input's and the output's width at least`);
  }
  const activation =
    fields.activation === undefined ? "relu" : readChoice("model.activation", fields.activation, activations);
  const loss = fields.loss === undefined ? "softmaxCrossEntropy" : readChoice("model.loss", fields.loss, losses);
  const layers = widths.slice(1).map((outputs, i): Layer => {
    const last = i === widths.length - 2;
    return {
      inputs: widths[i]!,
      outputs,
      weight: `layer${i + 1}.weight`,
      bias: `layer${i + 1}.bias`,
      activation: last ? "linear" : activation,
    };
  });
  return { config: { layers: widths, activation, loss }, layers };
}

/** The model's tensors without values: of each layer its weight, then its bias. */
export function modelTensors({ layers }: Model): readonly Tensor[] {
  return layers.flatMap(({ inputs, outputs, weight, bias }) => [
    { name: weight, shape: [inputs, outputs] },
    { name: bias, shape: [outputs] },
  ]);
}

/** The model's tensors with seeded initial weights and zero biases. */
export function initialTensors(model: Model, init: InitConfig = {}): readonly Tensor[] {
  const complete = completeInit(model, init);
  return model.layers.flatMap(({ inputs, outputs, weight, bias }, index) => [
    { name: weight, shape: [inputs, outputs], data: initialWeight(complete, inputs, outputs, index) },
    { name: bias, shape: [outputs] },
  ]);
}

/** The init config with its defaults for this model. */
export function completeInit(model: Model, init: InitConfig): Required<InitConfig> {
  return readInit(init, model.config.activation === "relu" ? "heNormal" : "glorotUniform");
}
