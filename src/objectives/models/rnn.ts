// A recurrent network: config, layers, and the passes on either engine, forward and backward through time.

import type { Name } from "../../base/names.ts";
import { readNumber } from "../../base/options.ts";
import { readFields } from "../../base/words.ts";
import { product } from "../../engines/cpu/product.ts";
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

/**
 * A recurrent network, h[t] = tanh(x[t]·W + h[t-1]·U + b) from h = 0, whose last state a linear layer turns into the outputs
 * (Elman 1990). A row of the data holds the inputs of step 1, then those of step 2 … Tensors `input.weight` of shape
 * [inputs, hidden], `hidden.weight` [hidden, hidden], `hidden.bias` [hidden], `output.weight` [hidden, outputs] and
 * `output.bias` [outputs].
 */
export interface RnnOptions extends TrainingOptions {
  /** Numbers per step; a whole number >= 1. */
  readonly inputs: number;
  /** Steps through time; a whole number >= 1. */
  readonly steps: number;
  /** Width of the state; a whole number >= 1. */
  readonly hidden: number;
  /** Numbers that come out; a whole number >= 1. */
  readonly outputs: number;
}

/** A recurrent network's config. */
export interface RnnConfig extends RnnOptions {
  /** The kind of model. */
  readonly type: Name<"rnn"> | typeof rnn;
}

/** {@link RnnConfig} with every default filled in. */
export interface CompleteRnnConfig extends CompleteTrainingOptions {
  /** Always "rnn". */
  readonly type: "rnn";
  /** Numbers of an example at each step through time. */
  readonly inputs: number;
  /** Steps through time. */
  readonly steps: number;
  /** Width of the state. */
  readonly hidden: number;
  /** How many numbers come out. */
  readonly outputs: number;
}

/** The type of `rnn`: the function that makes its config, and the kind of model. */
export interface RnnFunction extends ModelKind<RnnConfig> {
  /** The config of a recurrent network: `rnn({ inputs: 28, steps: 28, hidden: 64, outputs: 10 })`. */
  (options: RnnOptions): RnnConfig & { readonly type: typeof rnn };
}

const sizes = ["inputs", "steps", "hidden", "outputs"] as const;

/** An Elman network over sequences: one recurrent layer, one dense layer, and a loss. */
export const rnn: RnnFunction = Object.assign(
  (options: RnnOptions) => {
    readFields("rnn", options, [...sizes, "loss", "l2", "bias"]);
    return { ...options, type: rnn };
  },
  { kind: "rnn", read, toJSON: () => "rnn" },
);

type Layers = readonly [input: Layer, hidden: Layer, output: Layer];

function read(config: RnnConfig): Model<CompleteRnnConfig> {
  const fields = readFields("model", config, [...sizes, ...trainingOptionNames]);
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
  const layers: Layers = [
    layer("input", inputs, hidden, false),
    layer("hidden", hidden, hidden, true),
    layer("output", hidden, outputs, true),
  ];
  const complete: CompleteRnnConfig = { type: "rnn", inputs, steps, hidden, outputs, ...training };
  const features = inputs * steps;
  return defineModel({
    config: complete,
    title: `rnn ${steps}×${inputs}-${hidden}-${outputs}`,
    features,
    outputs,
    criterion: lossCriterion(training.loss, outputs, `model.outputs is ${outputs}`),
    inputSide: `model.steps · model.inputs is ${features}`,
    channels: 1,
    layers,
    init: "glorotUniform",
    inputSteps: steps,
    // The inputs of each step are bound separately.
    rowMultiple: 64,
    widest: Math.max(hidden, outputs),
    cpuPass: (params, batch) => cpuPass(complete, layers, params, batch),
    gpuPass: (context) => gpuPass(complete, layers, context),
  });
}

/**
 * Step after step forward through time, and backward. States and derivatives have a buffer for each step, since a dispatch may not
 * read one part of a buffer and write another.
 */
function gpuPass(
  config: CompleteRnnConfig,
  layers: Layers,
  { rows, replicas, inputs, tensors, create }: GpuPassContext,
): GpuPass {
  const { steps, hidden, outputs } = config;
  const [input, state, output] = layers;
  const matrix = (label: string, columns: number): Operand => ({
    buffer: create(label, replicas * rows * columns * 4),
    stride: rows * columns,
  });
  /** The state before the first step, which is zero, then the state after each step. */
  const states = Array.from({ length: steps + 1 }, (_, t) => matrix(`state ${t}`, hidden));
  const deltas = Array.from({ length: steps }, (_, t) => matrix(`state ${t + 1}'s derivatives`, hidden));
  const logits = matrix("outputs", outputs);
  const inputsOf = (t: number): Operand => ({
    ...inputs,
    offset: t * rows * config.inputs * 4,
    size: rows * config.inputs * 4,
  });
  /** The derivatives by a state, from those by the values computed from it. */
  const deltaStep = (t: number, a: Operand, { weight, outputs: k }: Layer): ProductStep => {
    const epilogue = { type: "delta", activation: "tanh", from: states[t + 1]! } as const;
    const product = { m: rows, n: hidden, k, transposeB: true, epilogue };
    return { product, a, b: tensors("params", weight), c: deltas[t]! };
  };
  return {
    outputs: logits,
    forward: () => [
      ...deltas.flatMap((_, t) => [
        forwardStep(tensors, input, rows, inputsOf(t), states[t + 1]!),
        forwardStep(tensors, state, rows, states[t]!, states[t + 1]!, { accumulate: true }),
      ]),
      forwardStep(tensors, output, rows, states[steps]!, logits),
    ],
    backward: (accumulate) => [
      gradientStep(tensors, output, rows, states[steps]!, logits, accumulate),
      ...deltas.flatMap((_, i) => {
        const t = steps - 1 - i;
        const further = accumulate || i > 0;
        return [
          i === 0 ? deltaStep(t, logits, output) : deltaStep(t, deltas[t + 1]!, state),
          gradientStep(tensors, state, rows, states[t]!, deltas[t]!, further),
          gradientStep(tensors, input, rows, inputsOf(t), deltas[t]!, further),
        ];
      }),
    ],
  };
}

/** Forward and backward through time (Werbos 1990), in float64. */
function cpuPass(config: CompleteRnnConfig, layers: Layers, params: Values, { inputs, rows }: CpuBatch): CpuPass {
  const count = rows.length;
  const { inputs: ins, steps, hidden, outputs: outs } = config;
  const [input, state, output] = layers;
  const sizes = { m: count, k: hidden, n: hidden };
  /** The inputs of each step, example after example. */
  const given = Array.from({ length: steps }, (_, t) => columns(inputs, ins * steps, t * ins, ins));
  /** The state before each step, and after the last. */
  const states = [new Float64Array(count * hidden)];
  for (let t = 0; t < steps; t++) {
    const h = new Float64Array(count * hidden);
    product(h, given[t]!, params(input.weight), { m: count, k: ins, n: hidden });
    addProduct(h, states[t]!, params(state.weight), sizes);
    addBias(h, state.bias, params);
    states.push(h.map(Math.tanh));
  }
  const logits = new Float64Array(count * outs);
  product(logits, states[steps]!, params(output.weight), { m: count, k: hidden, n: outs });
  addBias(logits, output.bias, params);
  return {
    outputs: logits,
    backward(delta, gradients) {
      addProduct(
        gradients(output.weight),
        states[steps]!,
        delta,
        { m: hidden, k: count, n: outs },
        { transposeA: true },
      );
      if (output.bias !== undefined) addColumnSums(gradients(output.bias), delta);
      let by = new Float64Array(count * hidden);
      product(by, delta, params(output.weight), { m: count, k: outs, n: hidden }, { transposeB: true });
      for (let t = steps; t > 0; t--) {
        const h = states[t]!;
        for (let i = 0; i < by.length; i++) by[i]! *= 1 - h[i]! * h[i]!;
        addProduct(gradients(input.weight), given[t - 1]!, by, { m: ins, k: count, n: hidden }, { transposeA: true });
        addProduct(
          gradients(state.weight),
          states[t - 1]!,
          by,
          { m: hidden, k: count, n: hidden },
          { transposeA: true },
        );
        if (state.bias !== undefined) addColumnSums(gradients(state.bias), by);
        if (t === 1) return;
        const before = new Float64Array(count * hidden);
        product(before, by, params(state.weight), sizes, { transposeB: true });
        by = before;
      }
    },
  };
}

function addBias(to: Float64Array, name: string | undefined, params: Values): void {
  if (name === undefined) return;
  const bias = params(name);
  for (let i = 0; i < to.length; i++) to[i]! += bias[i % bias.length]!;
}

/** Some columns of a row-major matrix. */
function columns(matrix: Float64Array, width: number, first: number, many: number): Float64Array {
  const part = new Float64Array((matrix.length / width) * many);
  for (let from = first, to = 0; to < part.length; from += width, to += many) {
    part.set(matrix.subarray(from, from + many), to);
  }
  return part;
}
