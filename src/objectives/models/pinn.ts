// Physics-informed networks (Raissi, Perdikaris, Karniadakis 2019): perceptrons whose loss is the residual of an equation at
// the rows of the data set, with exact derivatives by the inputs; config, layers, and the passes on either engine.
//
// A pass carries the value and its first and second derivatives by each input along, stacked as rows of one matrix (Taylor mode:
// Griewank and Walther 2008, chapter 13). A layer's product takes them all at once; its bias belongs to the values alone, and its
// activation mixes them: f(z), f'·z' and f''·z'² + f'·z''. The backward pass is reverse mode over these.

import backward from "../../../shaders/objectives/pinn/backward.wgsl?raw";
import forward from "../../../shaders/objectives/pinn/forward.wgsl?raw";
import layout from "../../../shaders/objectives/pinn/layout.wgsl?raw";
import derivativesText from "../../../shaders/products/derivatives.wgsl?raw";
import { assemble, type Snippet } from "../../base/assemble.ts";
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
  smoothActivations,
} from "../../engines/products/activation.ts";
import type { Operand } from "../../engines/products/product.ts";
import { activationSnippets } from "../../engines/products/sources.ts";
import { boundaryAnchors, channelsOf, equationCriterion, rowMultiple, stackedRows } from "../equation.ts";
import {
  type CompleteWeightOptions,
  defineModel,
  type GpuPassContext,
  type Layer,
  type Model,
  type ModelKind,
  readWeights,
  type WeightOptions,
  weightOptionNames,
} from "../model.ts";
import { addColumnSums, addProduct, type CpuBatch, type CpuPass } from "../pass_cpu.ts";
import { forwardStep, type GpuPass, gradientStep, type KernelStep, type PassStep } from "../pass_gpu.ts";
import { readProblem } from "../problems/index.ts";
import type { Problem, ProblemConfig } from "../problems/problem.ts";
import type { Values } from "../program.ts";
import { linearSnippet, replicasSnippet } from "../sources.ts";
import { createSizes } from "../tensors_gpu.ts";

/** Options of a physics-informed network besides its layers. */
export interface PinnOptions extends WeightOptions {
  /** The equation that it solves: `poisson({ k: 3 })`, its JSON, or the result of `problems.define`. */
  readonly problem: ProblemConfig | Problem;
  /** The activation after every layer but the last: tanh (default), sigmoid, gelu or silu, whose second derivative is not zero. */
  readonly activation?: Name<Activation> | undefined;
  /** Factor of the boundary's squares, > 0; default 100. */
  readonly boundaryWeight?: number | undefined;
}

/**
 * A physics-informed network: tensors `layerN.weight` of shape [in, out] and `layerN.bias` of shape [out], N from 1. Its loss
 * is the mean square of left(u) - right over the rows, which are points, plus
 * boundaryWeight · Σ weight · (u - value)² over the points of the boundary.
 */
export interface PinnConfig extends PinnOptions {
  /** The kind of model. */
  readonly type: Name<"pinn"> | typeof pinn;
  /** Widths from the input to the output: the first as many as the problem has dimensions, the last 1. */
  readonly layers: readonly number[];
}

/** {@link PinnConfig} with every default filled in. */
export interface CompletePinnConfig extends CompleteWeightOptions {
  /** Always "pinn". */
  readonly type: "pinn";
  /** Widths from the input to the outputs. */
  readonly layers: readonly number[];
  /** The activation of the hidden layers. */
  readonly activation: Activation;
  /** The equation and its boundary. */
  readonly problem: ProblemConfig | Problem;
  /** Factor of the boundary's loss. */
  readonly boundaryWeight: number;
}

/** The type of `pinn`: the function that makes its config, and the kind of model. */
export interface PinnFunction extends ModelKind<PinnConfig> {
  /**
   * The config of a physics-informed network: `pinn([1, 16, 16, 1], { problem: problems.poisson() })`.
   *
   * @param layers Widths from the inputs to the output.
   */
  (layers: readonly number[], options: PinnOptions): PinnConfig & { readonly type: typeof pinn };
}

const optionNames = ["problem", "activation", "boundaryWeight"];

/** A perceptron that learns to solve a differential equation. */
export const pinn: PinnFunction = Object.assign(
  (layers: readonly number[], options: PinnOptions) => {
    readFields("pinn", options, [...optionNames, "l2", "bias"]);
    return { ...options, type: pinn, layers };
  },
  { kind: "pinn", read, toJSON: () => "pinn" },
);

function read(config: PinnConfig): Model<CompletePinnConfig> {
  const fields = readFields("model", config, ["layers", ...optionNames, ...weightOptionNames]);
  const widths = readArray("model.layers", fields.layers, "widths").map((width, i) =>
    readNumber(`model.layers[${i}]`, width, { min: 1, integer: true }),
  );
  const problem = readProblem("model.problem", fields.problem as PinnConfig["problem"]);
  const [features, last] = [widths[0], widths.at(-1)];
  if (widths.length < 2 || features !== problem.dimensions || last !== 1) {
    throw new OptionError(
      `model.layers is ${show(widths)}; it must begin with ${problem.dimensions}, the dimensions of ${problem.name}, and end with 1`,
    );
  }
  const activation = readName("model.activation", fields.activation ?? "tanh", activations, activationAliases);
  if (!smoothActivations.includes(activation)) {
    throw new OptionError(
      `model.activation is "${activation}", whose second derivative is zero; it must be one of ${smoothActivations.join(", ")}`,
    );
  }
  const boundaryWeight = readNumber("model.boundaryWeight", fields.boundaryWeight ?? 100, { above: 0 });
  const weights = readWeights(fields);
  const layers = widths.slice(1).map(
    (outputs, i): Layer => ({
      inputs: widths[i]!,
      outputs,
      weight: `layer${i + 1}.weight`,
      bias: weights.bias ? `layer${i + 1}.bias` : undefined,
      activation: i === widths.length - 2 ? "linear" : activation,
      dropout: undefined,
    }),
  );
  return defineModel({
    config: {
      type: "pinn",
      layers: widths,
      activation,
      problem: problem.config ?? problem,
      boundaryWeight,
      ...weights,
    },
    title: `pinn ${widths.join("-")} for ${problem.name}`,
    criterion: equationCriterion(problem, boundaryWeight),
    features: problem.dimensions,
    outputs: 1,
    inputSide: `model.layers[0] is ${features}`,
    layers,
    init: activationFunctions[activation].rectifies ? "heNormal" : "lecunNormal",
    channels: channelsOf(problem),
    anchors: boundaryAnchors(problem, boundaryWeight),
    stacked: (rows) => stackedInputs(problem, rows),
    inputSteps: 1,
    rowMultiple,
    widest: Math.max(...widths.slice(1)),
    cpuPass: (params, batch) => cpuPass(problem, layers, params, batch),
    gpuPass: (parts) => gpuPass(problem, layers, parts),
  });
}

/** The boundary's points, after room for others, then the derivatives of inputs by inputs, which are 1 for the input itself. */
function stackedInputs(problem: Problem, rows: number): Float32Array {
  const { dimensions, boundary } = problem;
  const { values, all } = stackedRows(problem, rows);
  const stacked = new Float32Array(all * dimensions);
  boundary.forEach(({ at }, i) => {
    stacked.set(at, (rows + i) * dimensions);
  });
  for (let input = 0; input < dimensions; input++) {
    for (let row = 0; row < rows; row++) stacked[(values + input * rows + row) * dimensions + input] = 1;
  }
  return stacked;
}

const snippet = (file: string, text: string): Snippet => ({ name: `shaders/${file}.wgsl`, text });
const shared = [
  ...[linearSnippet, snippet("objectives/pinn/layout", layout), replicasSnippet],
  ...[...activationSnippets, snippet("products/derivatives", derivativesText)],
];
/** The two kernels between products. */
const stackedSources = {
  forward: assemble("stacked activation", [...shared, snippet("objectives/pinn/forward", forward)]),
  backward: assemble("stacked activation, backward", [...shared, snippet("objectives/pinn/backward", backward)]),
} as const;

/**
 * A product for each layer forward, two backward, and between them the activations' kernels. In the backward pass the
 * derivatives by a layer's outputs replace those outputs.
 */
function gpuPass(
  problem: Problem,
  layers: readonly Layer[],
  { rows, replicas, inputs, tensors, create }: GpuPassContext,
): GpuPass {
  const { points, values, all } = stackedRows(problem, rows);
  const matrix = (label: string, width: number): Operand => ({
    buffer: create(label, replicas * all * width * 4),
    stride: all * width,
  });
  const before = layers.map(({ outputs }, l) => matrix(`layer ${l + 1} before`, outputs));
  const after = layers.slice(1).map(({ inputs: width }, l) => matrix(`layer ${l + 1}`, width));
  const sizes = after.map((_, l) => {
    const { outputs: width, activation } = layers[l]!;
    const vectors = [points, values, all].map((count) => (count * width) / 4);
    return createSizes(create, [...vectors, problem.dimensions, activations.indexOf(activation)]);
  });
  const inputsOf = (l: number) => after[l - 1] ?? inputs;
  const activate = (l: number, direction: keyof typeof stackedSources): KernelStep => ({
    source: stackedSources[direction],
    uses: ["read", "write", "uniform", "read"],
    buffers: [before[l]!, after[l]!, { buffer: sizes[l]! }],
    invocations: (values * layers[l]!.outputs) / 4,
  });
  const outputs = before[layers.length - 1]!;
  return {
    outputs,
    forward: () =>
      layers.flatMap((layer, l): readonly PassStep[] => {
        const linear: Layer = { ...layer, activation: "linear" };
        const step = forwardStep(tensors, linear, all, inputsOf(l), before[l]!, { biasRows: values });
        return l < after.length ? [step, activate(l, "forward")] : [step];
      }),
    backward: (accumulate) =>
      [...layers.keys()].reverse().flatMap((l): readonly PassStep[] => {
        const layer = layers[l]!;
        const deltas = after[l] ?? outputs;
        const gradient = gradientStep(tensors, layer, all, inputsOf(l), deltas, accumulate, values);
        if (l === 0) return [gradient];
        const epilogue = { type: "none" } as const;
        const product = { m: all, n: layer.inputs, k: layer.outputs, transposeB: true, epilogue };
        const step = { product, a: deltas, b: tensors("params", layer.weight), c: after[l - 1]! };
        return [gradient, step, activate(l - 1, "backward")];
      }),
  };
}

/** Forward and backward, in float64. Outputs are jets, row after row: value, first and second derivatives. */
function cpuPass(problem: Problem, layers: readonly Layer[], params: Values, { inputs, rows }: CpuBatch): CpuPass {
  const { dimensions } = problem;
  const channels = channelsOf(problem);
  const count = rows.length;
  const all = channels * count;
  const stacked = new Float64Array(all * dimensions);
  stacked.set(inputs);
  for (let input = 0; input < dimensions; input++) {
    for (let row = 0; row < count; row++) stacked[((1 + input) * count + row) * dimensions + input] = 1;
  }
  /** The inputs of each layer, and its outputs before the activation. */
  const given: Float64Array[] = [stacked];
  const before: Float64Array[] = [];
  layers.forEach(({ inputs: ins, outputs: outs, weight, bias, activation }, l) => {
    const z = new Float64Array(all * outs);
    product(z, given[l]!, params(weight), { m: all, k: ins, n: outs });
    if (bias !== undefined) {
      const offsets = params(bias);
      for (let i = 0; i < count * outs; i++) z[i]! += offsets[i % outs]!;
    }
    before.push(z);
    if (l < layers.length - 1) given.push(activated(activation, z, count * outs, dimensions));
  });
  return {
    outputs: transposed(before.at(-1)!, channels, count),
    backward(jets, gradients) {
      let delta: Float64Array = transposed(jets, count, channels);
      for (let l = layers.length - 1; l >= 0; l--) {
        const { inputs: ins, outputs: outs, weight, bias } = layers[l]!;
        addProduct(gradients(weight), given[l]!, delta, { m: ins, k: all, n: outs }, { transposeA: true });
        if (bias !== undefined) addColumnSums(gradients(bias), delta.subarray(0, count * outs));
        if (l === 0) return;
        const next = new Float64Array(all * ins);
        product(next, delta, params(weight), { m: all, k: outs, n: ins }, { transposeB: true });
        goBack(layers[l - 1]!.activation, before[l - 1]!, next, count * ins, dimensions);
        delta = next;
      }
    },
  };
}

/** f(z), f'·z' and f''·z'² + f'·z'' of stacked matrices of so many elements. */
function activated(activation: Activation, z: Float64Array, size: number, dimensions: number): Float64Array {
  const { value, derivatives } = activationFunctions[activation];
  const a = new Float64Array(z.length);
  for (let e = 0; e < size; e++) {
    const [first, second] = derivatives!(z[e]!);
    a[e] = value(z[e]!);
    for (let i = 0; i < dimensions; i++) {
      const once = (1 + i) * size + e;
      const twice = once + dimensions * size;
      a[once] = first * z[once]!;
      a[twice] = second * z[once]! ** 2 + first * z[twice]!;
    }
  }
  return a;
}

/** Replaces the derivatives by an activation's outputs with those by its inputs. */
function goBack(activation: Activation, z: Float64Array, delta: Float64Array, size: number, dimensions: number): void {
  const { derivatives } = activationFunctions[activation];
  for (let e = 0; e < size; e++) {
    const [first, second, third] = derivatives!(z[e]!);
    let sum = first * delta[e]!;
    for (let i = 0; i < dimensions; i++) {
      const once = (1 + i) * size + e;
      const twice = once + dimensions * size;
      const [z1, byOnce, byTwice] = [z[once]!, delta[once]!, delta[twice]!];
      sum += second * z1 * byOnce + (third * z1 * z1 + second * z[twice]!) * byTwice;
      delta[once] = first * byOnce + 2 * second * z1 * byTwice;
      delta[twice] = first * byTwice;
    }
    delta[e] = sum;
  }
}

/** The transpose of a matrix of this many rows and columns. */
function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j]!;
  return turned;
}
