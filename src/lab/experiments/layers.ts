// How gradients differ from layer to layer. In a deep tanh network with weights of variance σ²/inputs, the input of a unit has
// the variance q' = σ² E tanh²(√q z) + β², β² that of the biases, and backward a derivative's mean square is multiplied
// by χ = σ² E sech⁴(√q z) at each layer (Poole et al. 2016, Schoenholz et al. 2017; z is a standard normal). Where χ is not 1
// one rate is too large for some layers and too small for others.
import { OptionError } from "../../base/errors.ts";
import { Random } from "../../base/random.ts";
import { layerStats } from "../../modifiers/layer_stats.ts";
import { uciDigits } from "../../objectives/data/uci_digits.ts";
import { createModel } from "../../objectives/models/index.ts";
import { mlp } from "../../objectives/models/mlp.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import type { LayerStats, TensorValues } from "../../optimizer/optimizer.ts";
import { lamb } from "../../rules/lamb.ts";
import { lars } from "../../rules/lars.ts";
import { sgd } from "../../rules/sgd.ts";
import { labChart } from "../chart.ts";
import { absolute, defineExperiment, type Findings, type Lab, number, relative, whole } from "./experiment.ts";
import { trainee, using } from "./steps.ts";

/** Rows whose gradients are measured one by one. */
const alone = 8;
/** Rows of the batch whose update is measured. */
const batch = 128;
/** How networks are initialised. */
interface Start {
  /** The deviation of weights times √inputs. */
  readonly weights: (inputs: number, outputs: number) => number;
  /** The deviation of biases. */
  readonly biases: number;
  readonly networks: readonly TensorValues[];
}

export const layers = defineExperiment({
  name: "layers",
  title:
    "In a deep tanh network gradients shrink by the same factor from layer to layer; layer-wise rates, LARS, LAMB or better initial weights even out the relative updates",
  options: {
    depth: whole("hidden layers", 8, { min: 4, max: 16 }),
    width: whole("units in each", 64, { min: 32, max: 256 }),
    gain: number("σ, standard deviation of weights × √inputs", 0.6, { min: 0.4, max: 0.8 }),
    bias: number("β, standard deviation of biases", 0.5, { min: 0.3, max: 0.8 }),
    replicas: whole("random networks", 8, { min: 8, max: 64 }),
  },
  check({ depth, width }) {
    if (4 * depth <= width) return;
    throw new OptionError(
      `depth is ${depth}; it must be at most a quarter of width, which is ${width}: the prediction holds for wide networks`,
    );
  },
  // Forward, and backward for weights and for their inputs.
  cost: ({ depth, width, replicas }) => 3 * replicas * depth * width ** 2 * (alone + 6 * batch),
  async run(options, lab) {
    const { depth, gain, bias } = options;
    const { start, theory, single, many, look } = await settingOf(options, lab);
    const given = start(() => gain, bias);
    const glorot = start((inputs, outputs) => Math.sqrt((2 * inputs) / (inputs + outputs)), 0);
    const he = start(() => Math.SQRT2, 0);
    const back = await look((modifiers) => sgd({ lr: 0, ...modifiers }), given, single);
    const predicted = theory(
      given,
      single.map(([row]) => row!),
    );
    const gradients = {
      found: rootMeans(back, depth, "bias", ({ gradientNorm }) => gradientNorm),
      predicted: predicted.deltas,
    };
    const ratios = async (config: Configure, start: Start) =>
      rootMeans(await look(config, start, [many]), depth, "weight", (s) => s.updateNorm / s.weightNorm);
    const expected = theory(given, many);
    const groups = expected.ratios.map((ratio, l) => ({
      params: `layer${l + 1}.weight`,
      lrScale: expected.ratios[depth - 1]! / ratio,
    }));
    const plain: Configure = (modifiers) => sgd({ lr: 1e-3, ...modifiers });
    const layerwise: Configure = (modifiers) => sgd({ lr: 1e-3, groups, ...modifiers });
    const withLars: Configure = (modifiers) => lars({ lr: 1, momentum: 0, ...modifiers });
    const withLamb: Configure = (modifiers) => lamb({ lr: 1e-3, ...modifiers });
    const evenness = (start: Start) => spread(theory(start, many).ratios);
    const runs: readonly Run[] = [
      { name: "one rate", found: await ratios(plain, given), predicted: spread(expected.ratios) },
      { name: "a rate for each layer", found: await ratios(layerwise, given), predicted: 1 },
      { name: "LARS", found: await ratios(withLars, given), predicted: 1 },
      { name: "LAMB", found: await ratios(withLamb, given), predicted: 1 },
      { name: "Glorot initialisation", found: await ratios(plain, glorot), predicted: evenness(glorot) },
      { name: "He initialisation", found: await ratios(plain, he), predicted: evenness(he) },
    ];
    return findingsOf(depth, gradients, runs);
  },
});

/** A config with these modifiers and replicas. */
type Configure = (options: object) => OptimizerConfig;

/** The relative updates of each layer, and how far the largest is predicted to be from the smallest. */
interface Run {
  readonly name: string;
  readonly found: readonly number[];
  readonly predicted: number;
}

interface Size {
  readonly depth: number;
  readonly width: number;
  readonly replicas: number;
  readonly seed: number;
}

/** The network with its rows; how it starts, what theory says of that, and a measurement of one update. */
async function settingOf({ depth, width, replicas, seed }: Size, lab: Lab) {
  const data = await uciDigits();
  const shapes = [data.features, ...new Array<number>(depth).fill(width)];
  const model = createModel(mlp([...shapes, 10], { activation: "tanh" }));
  const random = new Random(seed);
  const single = Array.from({ length: alone }, () => Uint32Array.of(random.below(data.count)));
  const many = Uint32Array.from({ length: batch }, () => random.below(data.count));
  const squares = (row: number) => {
    let sum = 0;
    for (const byte of data.inputs.subarray(row * data.features, (row + 1) * data.features)) {
      sum += (byte * data.scale) ** 2;
    }
    return sum / data.features;
  };
  const start = (weights: Start["weights"], biases: number): Start => ({
    weights,
    biases,
    networks: Array.from({ length: replicas }, (_, r) => {
      const normals = new Random(seed, 1 + r);
      return Object.fromEntries(
        model.program.initial().map(({ name, shape }) => {
          const [inputs, outputs] = shape as readonly [number, number?];
          const deviation = outputs === undefined ? biases : weights(inputs, outputs) / Math.sqrt(inputs);
          return [name, Float32Array.from({ length: inputs * (outputs ?? 1) }, () => deviation * normals.normal())];
        }),
      );
    }),
  });
  let done = 0;
  /** Measures one update, for each batch of rows, of each tensor of each network. */
  const look = (configure: Configure, { networks }: Start, batches: readonly Uint32Array[]) => {
    const config = configure({ modifiers: [layerStats()], replicas: new Array(replicas).fill({}) });
    const made = trainee(lab, model, config, { data, batch: batches[0]!.length });
    return using(made, async ({ optimizer, objective }) => {
      const seen: (readonly LayerStats[])[] = [];
      networks.forEach((network, replica) => {
        optimizer.write("params", network, { replica });
      });
      for (const rows of batches) {
        await objective.step(rows);
        for (let r = 0; r < replicas; r++) seen.push(await optimizer.layers({ replica: r }));
        done++;
        await lab.progress(done / (alone + 6));
      }
      return seen;
    });
  };
  const theory = (start: Start, rows: Iterable<number>) => meanField(start, shapes, [...rows].map(squares));
  return { single, many, start, theory, look };
}

/** @param gradients Norms of the derivatives by the layers' inputs. */
function findingsOf(
  depth: number,
  gradients: { readonly found: readonly number[]; readonly predicted: readonly number[] },
  runs: readonly Run[],
): Findings {
  const { found, predicted } = gradients;
  const last = depth - 1;
  const perLayer = (norms: readonly number[]) => (norms[0]! / norms[last]!) ** (1 / last);
  const uneven = spread(runs[0]!.found);
  const points = (values: readonly number[]) => values.map((value, l) => [l + 1, value] as const);
  return {
    claims: [
      relative("factor on a gradient from one layer to the one below", perLayer(found), perLayer(predicted), 0.05),
      ...runs.map((run) =>
        absolute(
          `log₂ of largest over smallest relative update, ${run.name}`,
          Math.log2(spread(run.found)),
          Math.log2(run.predicted),
          run.name.startsWith("LA") ? 0.01 : 1,
        ),
      ),
    ],
    notes: runs
      .slice(1)
      .map(
        (run) =>
          `${run.name}: updates are ${(uneven / spread(run.found)).toPrecision(3)} times as even as with one rate`,
      ),
    chart: labChart({
      title: "Gradients and updates from layer to layer",
      panels: [
        {
          x: { name: "layer" },
          y: { name: "norm of the derivatives", log: true },
          curves: [
            { name: "found", style: "dots", points: points(found) },
            {
              name: "predicted",
              style: "dashed",
              points: points(predicted.map((delta) => (delta / predicted[last]!) * found[last]!)),
            },
          ],
        },
        {
          x: { name: "layer" },
          y: { name: "update / weights, over the last", log: true },
          curves: runs.map((run) => ({
            name: run.name,
            points: points(run.found.map((ratio) => ratio / run.found[last]!)),
          })),
        },
      ],
    }),
  };
}

function spread(ratios: readonly number[]): number {
  return Math.max(...ratios) / Math.min(...ratios);
}

/** The root mean square over networks and rows, for each hidden layer. */
function rootMeans(
  seen: readonly (readonly LayerStats[])[],
  depth: number,
  kind: "weight" | "bias",
  value: (stats: LayerStats) => number,
): readonly number[] {
  return Array.from({ length: depth }, (_, l) => {
    const name = `layer${l + 1}.${kind}`;
    const squares = seen.map((stats) => value(stats.find((each) => each.name === name)!) ** 2);
    return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
  });
}

/**
 * For each hidden layer, relative to the last: the norm of the derivatives by its units' inputs, and of a single row's gradient
 * relative to the weights; root mean squares over rows with these mean square inputs.
 */
function meanField({ weights, biases }: Start, shapes: readonly number[], rows: readonly number[]) {
  const depth = shapes.length - 1;
  const deltas = new Array<number>(depth).fill(0);
  const ratios = new Array<number>(depth).fill(0);
  for (const square of rows) {
    let inputs = square;
    const layers = Array.from({ length: depth }, (_, l) => {
      const variance = weights(shapes[l]!, shapes[l + 1]!) ** 2;
      const q = variance * inputs + biases ** 2;
      const layer = { inputs, variance, slope: average((z) => Math.cosh(Math.sqrt(q) * z) ** -4) };
      inputs = average((z) => Math.tanh(Math.sqrt(q) * z) ** 2);
      return layer;
    });
    const top = layers[depth - 1]!;
    let delta = 1;
    for (let l = depth - 1; l >= 0; l--) {
      const layer = layers[l]!;
      if (l < depth - 1) delta *= layers[l + 1]!.variance * layer.slope;
      deltas[l]! += delta;
      ratios[l]! += (delta * layer.inputs * shapes[l]!) / (layer.variance * shapes[l + 1]!) / top.inputs;
    }
  }
  const root = (sum: number) => Math.sqrt(sum / rows.length);
  return { deltas: deltas.map(root), ratios: ratios.map(root) };
}

/** The mean of a function of a standard normal, by the trapezoidal rule. */
function average(f: (z: number) => number): number {
  let sum = 0;
  for (let i = -80; i <= 80; i++) sum += f(i / 10) * Math.exp(-((i / 10) ** 2) / 2);
  return (sum * 0.1) / Math.sqrt(2 * Math.PI);
}
