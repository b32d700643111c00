// The common part of all kinds of models: what they are trained for (loss, L2), the layers whose matrices are their tensors, and
// the program that follows from a kind's passes. The kinds are in models/, one file each.

import { OptionError } from "../base/errors.ts";
import type { Name } from "../base/names.ts";
import { readBoolean, readMade, readNumber } from "../base/options.ts";
import type { CreateBuffer } from "../engines/gpu/allocate.ts";
import type { Activation } from "../engines/products/activation.ts";
import type { Dropout } from "../engines/products/dropout.ts";
import type { Operand } from "../engines/products/product.ts";
import type { Tensor } from "../optimizer/arena.ts";
import type { Criterion, Judge } from "./criterion.ts";
import { type InitConfig, type InitType, initialWeight, readInit } from "./init.ts";
import { type CompleteLossConfig, type LossConfig, type LossName, readLoss } from "./loss.ts";
import { rowCapacity } from "./memory.ts";
import { bindModelToCpu } from "./model_cpu.ts";
import { bindModelToGpu } from "./model_gpu.ts";
import type { CpuBatch, CpuPass } from "./pass_cpu.ts";
import type { GpuPass, Tensors } from "./pass_gpu.ts";
import { matchSegments, type Program, type Trainable, type Values } from "./program.ts";

/** Options of weights that every model has. */
export interface WeightOptions {
  /** Adds l2/2 · Σ weight² over all weights, not the biases, to the loss; >= 0, default 0. */
  readonly l2?: number | undefined;
  /** Whether layers have biases; default true. */
  readonly bias?: boolean | undefined;
}

/** Options of training that every model with answers has. */
export interface TrainingOptions extends WeightOptions {
  /** The loss of the outputs; default softmaxCrossEntropy. */
  readonly loss?: Name<LossName> | LossConfig | undefined;
}

/** {@link WeightOptions} with every default filled in. */
export interface CompleteWeightOptions {
  /** As {@link WeightOptions.l2}. */
  readonly l2: number;
  /** Whether layers have biases. */
  readonly bias: boolean;
}

/** {@link TrainingOptions} with every default filled in. */
export interface CompleteTrainingOptions extends CompleteWeightOptions {
  /** The loss. */
  readonly loss: CompleteLossConfig;
}

/** The names of {@link WeightOptions}. */
export const weightOptionNames = ["l2", "bias", "type"];

/** The names of {@link TrainingOptions}. */
export const trainingOptionNames = ["loss", ...weightOptionNames];

export function readTraining(fields: Record<string, unknown>): CompleteTrainingOptions {
  return { loss: readLoss(fields.loss), ...readWeights(fields) };
}

export function readWeights(fields: Record<string, unknown>): CompleteWeightOptions {
  return {
    l2: fields.l2 === undefined ? 0 : readNumber("model.l2", fields.l2, { min: 0 }),
    bias: fields.bias === undefined ? true : readBoolean("model.bias", fields.bias),
  };
}

/** A kind of model: `mlp`, `rnn`, `pinn`. It is a config's `type`; in JSON, its name. */
export interface ModelKind<Config = never> {
  readonly kind: string;
  /** @throws OptionError for a config that is not of this kind. */
  read(config: Config): Model;
  toJSON(): string;
}

/** A dense layer of a model. */
export interface Layer {
  /** How many numbers go in. */
  readonly inputs: number;
  /** How many come out. */
  readonly outputs: number;
  /** The name of its weights. */
  readonly weight: string;
  /** The name of its bias. */
  readonly bias: string | undefined;
  /** Applied after the layer's product and bias. */
  readonly activation: Activation;
  /** The dropout of its outputs in training; undefined if there is none. */
  readonly dropout: Dropout | undefined;
}

/** What a pass on the GPU is built from. */
export interface GpuPassContext {
  /** Rows that its buffers hold, a multiple of the kind's `rowMultiple`. */
  readonly rows: number;
  readonly replicas: number;
  /** The gathered inputs: a matrix for each of the kind's `inputSteps`. */
  readonly inputs: Operand;
  readonly tensors: Tensors;
  readonly create: CreateBuffer;
}

/** Points that a model is fitted to besides the rows of a data set. */
export interface Anchors {
  readonly count: number;
  /** The coordinates of each, as many as an example has. */
  readonly inputs: Float64Array;
  /** Takes the loss of one of them, and replaces its outputs by the derivatives. */
  readonly judge: Judge;
}

/** A kind's description of a model with this config. */
export interface ModelDefinition<Config extends CompleteWeightOptions = CompleteWeightOptions> {
  /** Complete. */
  readonly config: Config;
  /** "784-1024-256-10". */
  readonly title: string;
  /** The criterion of its outputs. @internal */
  readonly criterion: Criterion;
  /** How many numbers of an example the model takes. */
  readonly features: number;
  readonly outputs: number;
  /** How the config sets the number of inputs: "model.layers[0] is 784". */
  readonly inputSide: string;
  /** The layers whose matrices follow each other: those of a perceptron; input, state and output of a recurrent network. */
  readonly layers: readonly Layer[];
  /** The default distribution of its initial weights. */
  readonly init: InitType;
  /** Matrices of as many rows that each of a pass's matrices stacks: 1, or more with the outputs' derivatives by the inputs. */
  readonly channels: number;
  /** The model's own points, whose loss is added to every mean loss, whatever the rows. @internal */
  readonly anchors?: Anchors;
  /**
   * The contents of a pass's input matrix for this many rows; rows are gathered into its start, and the rest stays; default
   * nothing.
   */
  stacked?(rows: number): Float32Array;
  /** Matrices that an example's inputs are gathered into: 1, or one for each step through time. */
  readonly inputSteps: number;
  /** Rows that a pass's buffers hold are a multiple of this. */
  readonly rowMultiple: number;
  /** The widest matrix of a pass. */
  readonly widest: number;
  /** @internal */
  cpuPass(params: Values, batch: CpuBatch): CpuPass;
  /** @internal */
  gpuPass(context: GpuPassContext): GpuPass;
}

/** A model: its config, complete, and its layers. */
export interface Model<Config extends CompleteWeightOptions = CompleteWeightOptions>
  extends ModelDefinition<Config>,
    Trainable<InitConfig> {}

/** Makes a model from its kind's description. */
export function defineModel<Config extends CompleteWeightOptions>(definition: ModelDefinition<Config>): Model<Config> {
  const model = { ...definition, program: undefined as unknown as Program<InitConfig> };
  model.program = programOfModel(model);
  return model;
}

function programOfModel(model: Model): Program<InitConfig> {
  const { title, criterion, features, inputSide, layers, widest, rowMultiple, channels, anchors } = model;
  // The anchors have no derivatives by inputs.
  const fixed = anchors ? rowCapacity({ rowMultiple }, anchors.count) * widest : 0;
  return {
    title,
    needsData: true,
    lossName: criterion.name,
    hasAccuracy: criterion.hasAccuracy,
    hasError: criterion.hasError,
    draws: layers.some(({ dropout }) => dropout !== undefined),
    // An example's loss and hit are 8 bytes.
    memory: {
      sharedRowBytes: 4 * channels * features,
      replicaRowBytes: 4 * Math.max(2, channels * widest),
      replicaFixedBytes: 4 * fixed,
      rowMultiple,
      divides: true,
    },
    start: (init = {}) => readInit(init, model.init),
    tensors: () =>
      layers.flatMap(({ inputs, outputs: width, weight, bias }) => [
        { name: weight, shape: [inputs, width] },
        ...biasOf(bias, width),
      ]),
    initial(init = {}) {
      const complete = readInit(init, model.init);
      return layers.flatMap(({ inputs, outputs: width, weight, bias }, index): readonly Tensor[] => [
        { name: weight, shape: [inputs, width], data: initialWeight(complete, inputs, width, index) },
        ...biasOf(bias, width),
      ]);
    },
    segmentsOf(segments) {
      return matchSegments(segments, this.tensors(), "the model's has");
    },
    checkFit(data) {
      if (features !== data.features) {
        throw new OptionError(`${inputSide}; the rows of ${data.name} have ${data.features} numbers`);
      }
      criterion.checkFit(data);
    },
    checkAnswers: (data) => criterion.checkAnswers(data),
    bindCpu: (optimizer, binding) => bindModelToCpu(optimizer, model, { ...binding, data: binding.data! }),
    bindGpu: (optimizer, binding) => bindModelToGpu(optimizer, model, { ...binding, data: binding.data! }),
  };
}

function biasOf(name: string | undefined, outputs: number): readonly Tensor[] {
  return name === undefined ? [] : [{ name, shape: [outputs] }];
}

/** @throws OptionError for anything but a model. */
export function readMadeModel(model: Model): Model {
  const members = {
    program: "object",
    config: "object",
    layers: "array",
    features: "number",
    outputs: "number",
  } as const;
  return readMade("model", model, "a model, such as createModel() makes", members);
}
