// Models as JSON: multilayer perceptrons, of which linear, logistic and softmax regression are those of one layer, and a
// small recurrent network; what they are trained for (loss, L2), and the tensors that follow from them.
import type { Tensor } from "../arena.ts";
import { OptionError, show } from "../errors.ts";
import { readArray, readBoolean, readChoice, readMade, readNumber, readObject } from "../options.ts";
import { type Activation, activations } from "./activation.ts";
import type { Dropout } from "./dropout.ts";
import { type InitConfig, initialWeight, readInit } from "./init.ts";
import { type CompleteLossConfig, type LossConfig, type losses, readLoss } from "./loss.ts";

/** What every model may say of its training. */
interface TrainingOptions {
  /** What the outputs are held against, and how; default softmaxCrossEntropy. */
  readonly loss?: (typeof losses)[number] | LossConfig | undefined;
  /** Adds l2/2 · Σ weight² over all weights, not the biases, to the loss; >= 0, default 0. */
  readonly l2?: number | undefined;
  /** Whether layers have biases; default true. */
  readonly bias?: boolean | undefined;
}

/**
 * A multilayer perceptron: tensors `layerN.weight` of shape [in, out] and `layerN.bias` of shape [out], N from 1. With two
 * widths it is linear, logistic or softmax regression, according to its loss.
 */
export interface MlpConfig extends TrainingOptions {
  readonly type?: "mlp" | undefined;
  /** Widths from the input to the outputs; at least two whole numbers >= 1. */
  readonly layers: readonly number[];
  /** After every layer but the last; default relu. */
  readonly activation?: Activation | undefined;
  /**
   * In training, sets this share of what each activation gives to zero and divides the rest by 1 - rate (Srivastava et al.
   * 2014); in [0, 1), default 0. As an object with the seed of what is dropped, a whole number in [0, 2^53), default 0. What
   * is dropped follows from the seed, the layer, the data set's row and the optimizer's step alone.
   */
  readonly dropout?: number | { readonly rate: number; readonly seed?: number | undefined } | undefined;
}

/**
 * A recurrent network, h[t] = tanh(x[t]·W + h[t-1]·U + b) from h = 0, whose last state a linear layer turns into the outputs
 * (Elman 1990). A row of the data holds the inputs of step 1, then those of step 2 … Tensors `input.weight` of shape
 * [inputs, hidden], `hidden.weight` [hidden, hidden], `hidden.bias` [hidden], `output.weight` [hidden, outputs] and
 * `output.bias` [outputs].
 */
export interface RnnConfig extends TrainingOptions {
  readonly type: "rnn";
  /** Numbers per step; a whole number >= 1. */
  readonly inputs: number;
  /** Steps through time; a whole number >= 1. */
  readonly steps: number;
  /** Width of the state; a whole number >= 1. */
  readonly hidden: number;
  /** A whole number >= 1. */
  readonly outputs: number;
}

/** A model as JSON. */
export type ModelConfig = MlpConfig | RnnConfig;

interface CompleteTrainingOptions {
  readonly loss: CompleteLossConfig;
  readonly l2: number;
  readonly bias: boolean;
}

export interface CompleteMlpConfig extends CompleteTrainingOptions {
  readonly type: "mlp";
  readonly layers: readonly number[];
  readonly activation: Activation;
  readonly dropout: { readonly rate: number; readonly seed: number };
}

export interface CompleteRnnConfig extends CompleteTrainingOptions {
  readonly type: "rnn";
  readonly inputs: number;
  readonly steps: number;
  readonly hidden: number;
  readonly outputs: number;
}

/** A model's config with every default filled in. */
export type CompleteModelConfig = CompleteMlpConfig | CompleteRnnConfig;

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: string;
  readonly bias: string | undefined;
  /** What follows the layer's product and bias. */
  readonly activation: Activation;
  readonly dropout: Dropout | undefined;
}

/** What all models have in common. */
interface Common<Config> {
  readonly config: Config;
  /** Numbers that the model takes of an example. */
  readonly features: number;
  readonly outputs: number;
  /** Whose matrices follow each other: the layers of a perceptron; of a recurrent network input, state and output. */
  readonly layers: readonly Layer[];
}

export interface Mlp extends Common<CompleteMlpConfig> {
  readonly type: "mlp";
}

export interface Rnn extends Common<CompleteRnnConfig> {
  readonly type: "rnn";
  readonly layers: readonly [input: Layer, hidden: Layer, output: Layer];
}

/** A model's config, complete, and its layers. */
export type Model = Mlp | Rnn;

const common = ["loss", "l2", "bias", "type"];

/** @throws OptionError for a config that is no model. */
export function createModel(config: ModelConfig): Model {
  const type = readType(config);
  return type === "mlp" ? createMlp(config) : createRnn(config);
}

function readType(config: unknown): Model["type"] {
  if (typeof config !== "object" || config === null || !("type" in config) || config.type === undefined) return "mlp";
  return readChoice("model.type", config.type, ["mlp", "rnn"]);
}

function readTraining(fields: Record<string, unknown>): CompleteTrainingOptions {
  return {
    loss: readLoss(fields.loss),
    l2: fields.l2 === undefined ? 0 : readNumber("model.l2", fields.l2, { min: 0 }),
    bias: fields.bias === undefined ? true : readBoolean("model.bias", fields.bias),
  };
}

function createMlp(config: ModelConfig): Mlp {
  const fields = readObject("model", config, ["layers", "activation", "dropout", ...common]);
  const widths = readArray("model.layers", fields.layers, "widths").map((width, i) =>
    readNumber(`model.layers[${i}]`, width, { min: 1, integer: true }),
  );
  if (widths.length < 2) {
    throw new OptionError(`model.layers is ${show(widths)}; it must hold the input's and the output's width at least`);
  }
  const activation =
    fields.activation === undefined ? "relu" : readChoice("model.activation", fields.activation, activations);
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
  return {
    type: "mlp",
    config: { type: "mlp", layers: widths, activation, dropout, ...training },
    features: widths[0]!,
    outputs: widths[widths.length - 1]!,
    layers,
  };
}

function readDropout(value: unknown): CompleteMlpConfig["dropout"] {
  if (value === undefined) return { rate: 0, seed: 0 };
  const shares = { min: 0, below: 1 };
  if (typeof value !== "object") return { rate: readNumber("model.dropout", value, shares), seed: 0 };
  const { rate, seed } = readObject("model.dropout", value, ["rate", "seed"]);
  const seeds = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };
  return {
    rate: readNumber("model.dropout.rate", rate, shares),
    seed: seed === undefined ? 0 : readNumber("model.dropout.seed", seed, seeds),
  };
}

function createRnn(config: ModelConfig): Rnn {
  const sizes = ["inputs", "steps", "hidden", "outputs"] as const;
  const fields = readObject("model", config, [...sizes, ...common]);
  const [inputs, steps, hidden, outputs] = sizes.map((name) =>
    readNumber(`model.${name}`, fields[name], { min: 1, integer: true }),
  ) as [number, number, number, number];
  const training = readTraining(fields);
  const layer = (name: string, from: number, to: number, bias: boolean): Layer => ({
    inputs: from,
    outputs: to,
    weight: `${name}.weight`,
    bias: bias && training.bias ? `${name}.bias` : undefined,
    activation: name === "hidden" ? "tanh" : "linear",
    dropout: undefined,
  });
  return {
    type: "rnn",
    config: { type: "rnn", inputs, steps, hidden, outputs, ...training },
    features: inputs * steps,
    outputs,
    layers: [
      layer("input", inputs, hidden, false),
      layer("hidden", hidden, hidden, true),
      layer("output", hidden, outputs, true),
    ],
  };
}

/** "784-1024-256-10", or "rnn 28×28-128-10": steps, inputs, state, outputs. */
export function modelTitle(config: CompleteModelConfig): string {
  if (config.type === "mlp") return config.layers.join("-");
  return `rnn ${config.steps}×${config.inputs}-${config.hidden}-${config.outputs}`;
}

/** Where a config says how many numbers the model takes, or gives, and what. */
export function widthOption({ config, features, outputs }: Model, side: "input" | "output"): string {
  if (config.type === "mlp") {
    return side === "input"
      ? `model.layers[0] is ${features}`
      : `model.layers[${config.layers.length - 1}] is ${outputs}`;
  }
  return side === "input" ? `model.steps · model.inputs is ${features}` : `model.outputs is ${outputs}`;
}

/** The model's tensors without values: of each layer its weight, then its bias. */
export function modelTensors({ layers }: Model): readonly Tensor[] {
  return layers.flatMap(({ inputs, outputs, weight, bias }) => [
    { name: weight, shape: [inputs, outputs] },
    ...biasOf(bias, outputs),
  ]);
}

/** @throws OptionError for what is no model. */
export function readMadeModel(model: Model): Model {
  const members = { type: "string", config: "object", layers: "array", features: "number", outputs: "number" } as const;
  return readMade("model", model, "a model, such as createModel() makes", members);
}

/**
 * The model's tensors with seeded initial weights and zero biases.
 *
 * @throws OptionError for what is no model, and for a bad `init`.
 */
export function initialTensors(model: Model, init: InitConfig = {}): readonly Tensor[] {
  readMadeModel(model);
  const complete = completeInit(model, init);
  return model.layers.flatMap(({ inputs, outputs, weight, bias }, index) => [
    { name: weight, shape: [inputs, outputs], data: initialWeight(complete, inputs, outputs, index) },
    ...biasOf(bias, outputs),
  ]);
}

function biasOf(name: string | undefined, outputs: number): readonly Tensor[] {
  return name === undefined ? [] : [{ name, shape: [outputs] }];
}

/** The init config with its defaults for this model. */
export function completeInit({ config }: Model, init: InitConfig): Required<InitConfig> {
  const rectified = config.type === "mlp" && ["relu", "gelu", "silu"].includes(config.activation);
  return readInit(init, rectified ? "heNormal" : "glorotUniform");
}
