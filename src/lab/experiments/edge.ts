// The edge of stability. Full-batch descent on a network of handwritten digits: the largest curvature rises until it is at 2/lr,
// where steps along its eigenvector start to grow, and stays near it while the loss keeps falling; with momentum at
// 2(1 + μ)/lr (Cohen et al. 2021), for Adam at 2(1 + β1)/((1 - β1)·lr) of the preconditioned Hessian (Cohen et al. 2022).
import { OptionError } from "../../base/errors.ts";
import { edge as edgeOf } from "../../objectives/curvature/edge.ts";
import { createMeter, sharpness } from "../../objectives/curvature/extremes.ts";
import { sliceRows } from "../../objectives/data/dataset.ts";
import { uciDigits } from "../../objectives/data/uci_digits.ts";
import { createModel } from "../../objectives/models/index.ts";
import { initialTensors } from "../../objectives/program.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { adam } from "../../rules/adam.ts";
import { sgd } from "../../rules/sgd.ts";
import { createTrainee, mustFit } from "../../train/engine.ts";
import { labChart } from "../chart.ts";
import {
  atMost,
  type Claim,
  defineExperiment,
  type Interim,
  mustNotDiverge,
  number,
  numbers,
  relative,
  whole,
} from "./experiment.ts";
import { using } from "./steps.ts";

/** The edge counts as reached from this share of it on. */
const reached = 0.97;
/** Rates as multiples of 2/λ at the start, by default. */
const usual = [0.8, 0.9] as const;
/** How many times `steps` a run may take to reach the edge. */
const patience = 8;

/** The mean of a digit's pixels, approximately. */
const middle = 0.3125;

export const edge = defineExperiment({
  name: "edge",
  title: "Sharpness rises to the edge of stability, and hovers there while the loss falls",
  options: {
    lr: numbers("rates of gradient descent, below 2/λ at the start; by default 0.8 and 0.9 times that", [], {
      above: 0,
    }),
    momentum: number("μ of the heavy ball; its rate is 1 + μ times the last of these", 0.5, { min: 0, max: 0.9 }),
    adamLr: number("rate of Adam", 0.01, { min: 1e-3, max: 0.02 }),
    steps: whole("minimum steps of a run; up to 8 times as many if the edge is reached late", 600, {
      min: 300,
      max: 5000,
    }),
    looks: whole("how often the sharpness is measured in that many steps", 12, { min: 12, max: 300 }),
    rows: whole("digits to learn, all in every step", 100, { min: 100, max: 1797 }),
    width: whole("hidden units", 16, { min: 16, max: 512 }),
  },
  // Four runs; forward, and backward for weights and for their inputs.
  cost: ({ steps, rows, width }) => 4 * 3 * steps * rows * width * (64 + 10),
  async run({ lr: given, momentum, adamLr, steps, looks, rows: count, width, seed }, lab) {
    const digits = sliceRows(await uciDigits(), 0, count);
    const inputs = Float32Array.from(digits.inputs, (value) => value * digits.scale - middle);
    const data = { ...digits, inputs, scale: 1 };
    const model = createModel({ layers: [64, width, 10], activation: "tanh", loss: "meanSquaredError" });
    // Small weights leave the sharpness room to rise.
    const tensors = initialTensors(model, { type: "glorotNormal", seed }).map((tensor) =>
      tensor.data ? { ...tensor, data: Float32Array.from(tensor.data, (value) => value / 2) } : tensor,
    );
    const rows = Uint32Array.from({ length: count }, (_, row) => row);
    const open = (config: OptimizerConfig) => {
      mustFit(lab.engine, model, { config, batch: count, replicas: config.replicas?.length ?? 1 });
      return createTrainee(lab.engine, model, tensors, config, { data, batch: count });
    };
    const start = await using(open(sgd()), async ({ objective }) => (await sharpness(objective, { rows })).value);
    const lr = given.length > 0 ? given : usual.map((share) => (share * 2) / start);
    for (const rate of lr) {
      const [least, most] = [1.3 / start, 1.95 / start];
      if (rate >= least && rate <= most) continue;
      throw new OptionError(
        `lr is ${rate}; it must be in [${least.toPrecision(3)}, ${most.toPrecision(3)}], since the sharpness begins at ${start.toPrecision(3)}`,
      );
    }
    const heavy = (1 + momentum) * lr.at(-1)!;
    const stride = Math.floor(steps / looks);
    const tenth = Math.floor(steps / 10);
    const longest = patience * steps;
    const rates = [...lr.map((rate) => ({ lr: rate, momentum: 0 })), { lr: heavy, momentum }];
    const named = [
      ...lr.map((rate) => ({ name: `gradient descent, lr ${rate.toPrecision(3)}`, what: "λ·lr", factor: 2 })),
      { name: `heavy ball, μ ${momentum}, lr ${heavy.toPrecision(3)}`, what: "λ·lr", factor: 2 * (1 + momentum) },
      { name: `Adam, lr ${adamLr}`, what: "λ·lr, preconditioned,", factor: 38 },
    ];
    const done: Run[] = [];
    const descend = (config: OptimizerConfig, preconditioned: boolean, least: number, from: number, share: number) =>
      using(open(config), async ({ optimizer, objective }) => {
        const precondition = preconditioned ? optimizer : undefined;
        const meter = await createMeter(objective, { rows, precondition, tolerance: 0.02 });
        const runs = Array.from(
          { length: optimizer.replicas },
          (_, replica): Run => ({
            name: named[done.length + replica]!.name,
            edge: edgeOf(optimizer, 0, { replica }),
            points: [],
            losses: [],
          }),
        );
        let end = longest;
        try {
          for (let step = 1; step <= end; step++) {
            const { replicas } = await objective.step(rows);
            replicas.forEach(({ loss }, r) => {
              runs[r]!.losses.push(mustNotDiverge("descent", loss, step));
            });
            if (step === 1 || step % stride === 0) {
              const found = await meter.measure();
              found.replicas.forEach(({ value }, r) => {
                runs[r]!.points.push([step, value / runs[r]!.edge]);
              });
              const there = runs.every(({ points }) => points.some(([, fraction]) => fraction >= reached));
              // The mean is over the last third.
              if (there && end === longest) end = Math.min(longest, Math.max(least, Math.ceil(1.5 * step)));
            }
            lab.interim(() => interimOf([...done, ...runs]));
            await lab.progress(from + share * Math.min(1, step / end, step / (2 * steps)));
          }
        } finally {
          meter.destroy();
        }
        done.push(...runs);
        return end;
      });
    // Oscillations from momentum take 1/(1 - μ) times as long to settle.
    const settled = Math.ceil(steps * Math.max(1, 0.4 / (1 - momentum)));
    const plainEnd = await descend(sgd({ replicas: rates }), false, settled, 0, 0.7);
    const adaptiveEnd = await descend(adam({ lr: adamLr, beta2: 0.99, eps: 1e-7 }), true, steps, 0.7, 0.3);
    const claims: Claim[] = [];
    for (const [i, { name, points, losses }] of done.entries()) {
      const { what, factor } = named[i]!;
      const end = i < rates.length ? plainEnd : adaptiveEnd;
      const late = points.filter(([step]) => 3 * step > 2 * end);
      const mean = meanOf(late.map(([, fraction]) => fraction));
      claims.push(relative(`${what} over the last third: ${name}`, factor * mean, factor, 0.1));
      const fallen = meanOf(losses.slice(-tenth)) / meanOf(losses.slice(3 * tenth, 4 * tenth));
      claims.push(
        atMost(`loss of the last ${tenth} steps over that of ${tenth} after step ${3 * tenth}: ${name}`, fallen, 1),
      );
    }
    return {
      claims: [
        atMost("sharpness / edge at the start, at the highest rate", (start * Math.max(...lr)) / 2, 1),
        ...claims,
      ],
      chart: edgeChart(done),
    };
  },
});

/** One descent: its sharpness by the edge at some steps, and its loss at every one. */
interface Run {
  readonly name: string;
  /** The sharpness at which steps begin to grow: 2/lr without momentum. */
  readonly edge: number;
  readonly points: (readonly [step: number, fraction: number])[];
  readonly losses: number[];
}

/** Losses of a curve that are drawn, at most. */
const mostLosses = 400;

function edgeChart(runs: readonly Run[]) {
  const longest = Math.max(1, ...runs.map(({ losses }) => losses.length));
  const lossesOf = ({ name, losses }: Run) => {
    const stride = Math.ceil(losses.length / mostLosses);
    return {
      name,
      points: losses.flatMap((loss, i) => (i % stride === 0 ? [[i + 1, loss] as const] : [])),
    };
  };
  return labChart({
    title: "Sharpness / edge of stability, and loss, by step",
    panels: [
      {
        x: { name: "step" },
        y: { name: "sharpness / edge" },
        curves: [
          ...runs.map(({ name, points }) => ({ name, points })),
          { name: "the edge", style: "dashed", points: [[0, 1] as const, [longest, 1] as const] },
        ],
      },
      { x: { name: "step" }, y: { name: "loss", log: true }, curves: runs.map(lossesOf) },
    ],
  });
}

/** How far descents are, with the sharpness last measured and the edge that it rises to. */
function interimOf(runs: readonly Run[]): Interim {
  return {
    chart: edgeChart(runs),
    rows: runs.map(({ name, edge, points, losses }) => ({
      run: name,
      step: losses.length,
      "sharpness λ": points.at(-1)![1] * edge,
      "edge (2/lr for descent)": edge,
      "λ / edge": points.at(-1)![1],
      loss: losses.at(-1)!,
    })),
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
