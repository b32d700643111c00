// A learning rate is a bifurcation parameter of training too. A recurrent unit learns to sum its inputs, each fading with every
// step. Descent rests at its minimum up to a rate of 2/λ, λ being the largest curvature there; beyond, the multiplier 1 - lr·λ is
// below -1, and as in every map whose multiplier crosses -1, a cycle of 2 starts, then one of 4, until nothing repeats (period
// doubling: May 1976; of gradient descent: Chen and Bruna 2023, Beyond the edge of stability via two-step gradient updates).

import wgsl from "../../../shaders/lab/recurrent_unit.wgsl?raw";
import { Random } from "../../base/random.ts";
import { norm } from "../../engines/cpu/vectors.ts";
import { defineObjective } from "../../objectives/custom.ts";
import { arrayDataset } from "../../objectives/data/arrays.ts";
import { everyRow } from "../../objectives/data/dataset.ts";
import type { Objective } from "../../objectives/objective.ts";
import type { TensorValues } from "../../optimizer/optimizer.ts";
import { sgd } from "../../rules/sgd.ts";
import { piecewise } from "../../schedules/piecewise.ts";
import { labChart } from "../chart.ts";
import { absolute, defineExperiment, number, relative, whole } from "./experiment.ts";
import { makeSteps, trainee, using } from "./steps.ts";

/** The least and the largest rate, as multiples of 2/λ. */
const [lowest, highest] = [0.9, 3.2];
/** A rate at which every sum that the options allow is learnt, and in how many steps. */
const [learningRate, learningSteps] = [0.3, 1500];
/** Consecutive losses that are compared. */
const depth = 33;
/** Losses that differ by less than this share are the same. */
const same = 1e-4;
/** A slow approach to a cycle, near its onset, is within this share of it. */
const near = 1e-2;

export const cascadeRnn = defineExperiment({
  name: "cascade-rnn",
  title:
    "As the rate grows, training of a recurrent network settles, then cycles through 2 and 4 states, then never repeats",
  options: {
    sequence: whole("length of a sequence", 3, { min: 3, max: 4 }),
    fade: number("factor by which inputs fade per step", 0.4, { min: 0.25, max: 0.4 }),
    l2: number("L2 penalty", 0.01, { min: 0.01, max: 0.02 }),
    replicas: whole("rates run side by side", 72, { min: 56, max: 1024 }),
    steps: whole("steps per rate", 1200, { min: 800, max: 20_000 }),
  },
  async run({ sequence, fade, l2, replicas, steps, seed }, lab) {
    const inputs = Array.from({ length: 2 ** sequence }, (_, i) =>
      Array.from({ length: sequence }, (_, t) => (i >> t) & 1),
    );
    const targets = inputs.map((row) => [row.reduce((sum, x) => sum * fade + x, 0)]);
    const data = arrayDataset({ name: "sums", inputs, targets });
    const rows = everyRow(data);
    const options = { data, batch: data.count };
    const random = new Random(seed);
    const start = unitWith(() => 0.4 + 0.4 * random.uniform());
    const unit = defineUnit(start);
    const learnt = await using(
      trainee(lab, unit, sgd({ lr: learningRate, weightDecay: l2 }), options),
      async (made) => {
        await makeSteps(made, learningSteps, (step) => lab.progress((0.2 * step) / learningSteps), rows);
        return { minimum: await made.optimizer.read(), curvature: l2 + (await largest(made.objective, rows, start)) };
      },
    );
    const limit = 2 / learnt.curvature;
    const rates = Array.from({ length: replicas }, (_, i) => lowest + ((highest - lowest) * i) / (replicas - 1));
    const ramp = Math.floor(0.6 * steps);
    const config = sgd({
      weightDecay: l2,
      replicas: rates.map((rate) => ({
        lr: piecewise({
          points: [
            [0, lowest * limit],
            [ramp, rate * limit],
          ],
        }),
      })),
    });
    const states = await using(trainee(lab, unit, config, options), async (made) => {
      made.optimizer.write("params", learnt.minimum);
      await makeSteps(made, ramp, (step) => lab.progress(0.2 + (0.7 * step) / steps), rows);
      // A state at rest to the last digit needs a kick to leave.
      for (let replica = 0; replica < replicas; replica++) {
        const there = await made.optimizer.read("params", { replica });
        const apart = Object.entries(there).map(([name, [value]]) => [name, [value! + 1e-3]] as const);
        made.optimizer.write("params", Object.fromEntries(apart), { replica });
      }
      await makeSteps(made, steps - ramp - depth, (step) => lab.progress(0.2 + (0.7 * (ramp + step)) / steps), rows);
      const seen: (readonly number[])[] = [];
      for (let i = 0; i < depth; i++) {
        seen.push(await made.objective.gradient(rows));
        made.optimizer.step();
        await lab.progress(0.9 + (0.1 * i) / depth);
      }
      return seen;
    });
    const regimes = rates.map((_, r) => regimeOf(states.map((losses) => losses[r]!)));
    const order = ["rest", "cycle of 2", "cycle of 4", "irregular"] as const;
    const firsts = order.map((regime) => regimes.indexOf(regime));
    const inOrder = firsts.filter((first, i) => first >= 0 && firsts.slice(0, i).every((before) => before < first));
    const doubling = firsts[1]! > 0 ? (rates[firsts[1]!]! + rates[firsts[1]! - 1]!) / 2 : highest;
    const last = regimes.indexOf("diverged");
    return {
      claims: [
        relative("rate at which cycles of 2 start, times λ/2", doubling, 1, 0.1),
        absolute("regimes found in the order rest, cycle of 2, cycle of 4, irregular", inOrder.length, 4, 0),
      ],
      notes: [
        `λ at the minimum is ${learnt.curvature.toPrecision(5)}, so 2/λ is ${limit.toPrecision(4)}`,
        ...order.map((regime, i) =>
          firsts[i]! < 0 ? `${regime}: not found` : `${regime}: from ${rates[firsts[i]!]!.toPrecision(4)} · 2/λ on`,
        ),
        last < 0 ? "no rate diverged" : `rates diverge from ${rates[last]!.toPrecision(4)} · 2/λ on`,
      ],
      chart: labChart({
        title: "Losses of a recurrent unit after settling, by its rate",
        panels: [
          {
            x: { name: "rate · λ/2" },
            y: { name: "loss" },
            curves: [
              {
                name: "loss",
                style: "dots",
                points: rates.flatMap((rate, r) =>
                  regimes[r] === "diverged" ? [] : states.map((losses) => [rate, losses[r]!] as const),
                ),
              },
            ],
            marks: [
              { name: "2/λ", at: 1 },
              ...order
                .slice(1)
                .flatMap((name, i) => (firsts[i + 1]! < 0 ? [] : [{ name, at: rates[firsts[i + 1]!]! }])),
            ],
          },
        ],
      }),
    };
  },
});

type Regime = "rest" | "cycle of 2" | "cycle of 4" | "longer cycle" | "irregular" | "diverged";

/** The regime of consecutive losses. */
function regimeOf(losses: readonly number[]): Regime {
  if (!losses.every((loss) => loss < 1e3)) return "diverged";
  const repeats = (period: number, share: number) =>
    losses.slice(period).every((loss, i) => Math.abs(loss - losses[i]!) < share * losses[i]!);
  const periodWithin = (share: number) => [1, 2, 4, 8, 16].find((period) => repeats(period, share));
  const period = periodWithin(same) ?? periodWithin(near);
  if (period === undefined) return "irregular";
  return ({ 1: "rest", 2: "cycle of 2", 4: "cycle of 4" } as const)[period] ?? "longer cycle";
}

const tensors = ["input", "hidden", "output"] as const;

function unitWith(value: () => number): TensorValues {
  return Object.fromEntries(tensors.map((name) => [name, Float32Array.of(value())]));
}

/** A recurrent unit without biases, h ← tanh(input·x + hidden·h), whose loss is (output·h - target)² after the last step. */
function defineUnit(start: TensorValues) {
  const run = ([w, u]: Float64Array, inputs: Float64Array) => {
    let [h, byInput, byHidden] = [0, 0, 0];
    for (const x of inputs) {
      const next = Math.tanh(w! * x + u! * h);
      const slope = 1 - next * next;
      [byInput, byHidden, h] = [slope * (x + u! * byInput), slope * (h + u! * byHidden), next];
    }
    return { h, byInput, byHidden };
  };
  return defineObjective({
    name: "recurrent unit",
    tensors: tensors.map((name) => ({ name, shape: [1], data: start[name]! })),
    wgsl,
    loss: (params, { inputs, targets }) => (params[2]! * run(params, inputs).h - targets[0]!) ** 2,
    gradient(params, { inputs, targets }, out) {
      const { h, byInput, byHidden } = run(params, inputs);
      const off = 2 * (params[2]! * h - targets[0]!);
      out.set([off * params[2]! * byInput, off * params[2]! * byHidden, off * h]);
    },
  });
}

/** The largest eigenvalue of the Hessian, by power iteration; it is well separated from the others. */
async function largest(objective: Objective, rows: Uint32Array, start: TensorValues): Promise<number> {
  let vector = start;
  let value = 0;
  for (let i = 0; i < 30; i++) {
    const length = norm(Object.values(vector));
    const unit = Object.fromEntries(
      Object.entries(vector).map(([name, values]) => [name, values.map((x) => x / length)]),
    );
    vector = await objective.hessianVector(unit, { rows });
    value = Object.entries(unit).reduce((sum, [name, [x]]) => sum + x! * vector[name]![0]!, 0);
  }
  return value;
}
