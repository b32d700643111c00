// The laws of objectives, on whichever engine: PyTorch's gradients, and whole training runs of PyTorch.
import { describe, expect, it } from "vitest";
import type { Dataset } from "../src/data/dataset.ts";
import { activations, createModel, losses, type ModelConfig } from "../src/objectives/model.ts";
import type { Evaluation } from "../src/objectives/objective.ts";
import type { OptimizerConfig } from "../src/rules/index.ts";
import type { Engine, Trainee } from "../src/train/engine.ts";
import { golden } from "./golden.ts";

interface Tolerance {
  rtol: number;
  atol: number;
}

type Values = Record<string, number[]>;

interface GradientCase {
  id: string;
  model: ModelConfig & { l2: number };
  batch: number;
  x: number[];
  y: number[];
  params: Values;
  loss: number;
  gradients: Values;
  tolerance: Tolerance;
}

interface TrainingRun {
  id: string;
  model: ModelConfig;
  optimizer: OptimizerConfig;
  initial: Values;
  batches: number[][];
  losses: number[];
  testAccuracy: number;
  tolerance: Tolerance;
}

interface Digits {
  shape: number[];
  classes: number;
  scale: number;
  x: number[];
  y: number[];
}

/** The cases whose model the project has; the others wait for their losses and activations. */
const gradientCases = golden<{ cases: GradientCase[] }>("gradients.json").cases.filter(
  ({ model: { loss, activation, l2 } }) =>
    losses.includes(loss as never) && activations.includes(activation!) && l2 === 0,
);

const training = golden<{ trainRows: number; runs: TrainingRun[] }>("training.json");
const digits = golden<Digits>("digits.json");

function tensorsOf(config: ModelConfig, values: Values) {
  return createModel(config).layers.flatMap(({ inputs, outputs, weight, bias }) => [
    { name: weight, shape: [inputs, outputs], data: values[weight]! },
    { name: bias, shape: [outputs], data: values[bias]! },
  ]);
}

/** Rows of the digits, as bytes. */
function digitRows(from: number, to: number): Dataset {
  const [features] = digits.shape as [number];
  return {
    name: "digits",
    count: to - from,
    features,
    classes: digits.classes,
    inputs: Uint8Array.from(digits.x.slice(from * features, to * features)),
    scale: 1 / digits.scale,
    labels: Uint8Array.from(digits.y.slice(from, to)),
  };
}

export function objectiveLaws(engine: Engine): void {
  describe("gradients.json", () => {
    it.each(gradientCases)("$id", async ({ model: { layers, activation }, batch, x, y, params, ...expected }) => {
      const model = createModel({ layers, activation: activation! });
      const data: Dataset = {
        name: "digits",
        count: batch,
        features: layers[0]!,
        classes: layers[layers.length - 1]!,
        inputs: Float32Array.from(x),
        scale: 1,
        labels: Uint32Array.from(y),
      };
      const trainee = await engine.trainee(model, tensorsOf(model.config, params), { rule: "sgd" }, data, batch);
      const [loss] = await trainee.objective.gradient(Uint32Array.from({ length: batch }, (_, i) => i));
      const gradients = await trainee.optimizer.read("gradients");
      trainee.destroy();
      const { rtol, atol } = expected.tolerance;
      expect(Math.abs(loss! - expected.loss)).toBeLessThanOrEqual(atol + rtol * expected.loss);
      for (const [name, values] of Object.entries(expected.gradients)) {
        const excess = values.map((want, i) => Math.abs(gradients[name]![i]! - want) - atol - rtol * Math.abs(want));
        expect(Math.max(...excess), name).toBeLessThanOrEqual(0);
      }
    });
  });

  describe("training.json", () => {
    it.each(training.runs)("$id", async (run) => {
      const model = createModel(run.model);
      const data = digitRows(0, training.trainRows);
      const batch = run.batches[0]!.length;
      const trainee = await engine.trainee(model, tensorsOf(run.model, run.initial), run.optimizer, data, batch);
      const { rtol, atol } = run.tolerance;
      for (const [step, rows] of run.batches.entries()) {
        const { loss } = await trainee.objective.step(Uint32Array.from(rows));
        const want = run.losses[step]!;
        expect(Math.abs(loss - want), `loss of step ${step}`).toBeLessThanOrEqual(atol + rtol * Math.abs(want));
      }
      const { accuracy } = await trainee.objective.evaluate(digitRows(training.trainRows, digits.y.length));
      trainee.destroy();
      const tests = digits.y.length - training.trainRows;
      expect(Math.abs(accuracy - run.testAccuracy) * tests).toBeLessThanOrEqual(1.001);
    });
  });

  describe("replicas", () => {
    // Blocked products and the others; the loss scale grows at every update, so that each replica has its own.
    const model = createModel({ layers: [64, 12, 10] });
    const shared = { rule: "sgd", momentum: 0.9, lossScale: { init: 64, interval: 1 } } as const;
    const rates = [0.1, 0.3, 0.02];
    const initial = rates.map((_, replica) => valuesOf(randomTensors(model.config, replica)));
    const rows = Array.from({ length: 5 }, (_, step) =>
      Uint32Array.from({ length: 7 }, (_, i) => (11 * step + i) % 50),
    );
    /** Replica 1 is halted after the third step. */
    const rowsOf = (replica: number) => (replica === 1 ? rows.slice(0, 3) : rows);
    const [data, test] = [digitRows(0, 50), digitRows(50, 63)];

    async function found({ optimizer }: Trainee, replica: number) {
      return { params: await optimizer.read("params", replica), gradients: await optimizer.read("gradients", replica) };
    }

    /** Loss and gradient of one more batch. */
    async function further({ optimizer, objective }: Trainee, replica: number) {
      const losses = await objective.gradient(rows[0]!);
      return { loss: losses[replica], gradients: await optimizer.read("gradients", replica) };
    }

    it("have the bits of a run alone, and keep them while they are halted", async () => {
      const alone = await engine.trainee(model, randomTensors(model.config), shared, data, 7);
      const fresh = await alone.optimizer.save();
      const wanted = [];
      for (const [replica, lr] of rates.entries()) {
        await alone.optimizer.load(fresh);
        alone.optimizer.write("params", initial[replica]!);
        alone.optimizer.set({ lr });
        const reports = [];
        for (const batch of rowsOf(replica)) reports.push((await alone.objective.step(batch)).replicas[0]!);
        const after = await found(alone, 0);
        const { replicas } = await alone.objective.evaluate(test);
        wanted.push({ reports, after, evaluation: replicas[0]!, last: await further(alone, 0) });
      }
      alone.destroy();

      const config = { ...shared, replicas: rates.map((lr) => ({ lr })) };
      const together = await engine.trainee(model, randomTensors(model.config), config, data, 7);
      initial.forEach((values, replica) => {
        together.optimizer.write("params", values, replica);
      });
      let evaluated: Evaluation | undefined;
      for (const [step, batch] of rows.entries()) {
        if (step === 3) {
          evaluated = await together.objective.evaluate(test);
          together.optimizer.halt(1);
        }
        const report = await together.objective.step(batch);
        expect(report).toMatchObject(report.replicas[0]!);
        expect(report.replicas).toEqual(wanted.map(({ reports }) => reports[step] ?? reports[2]));
      }
      for (const [replica, { after }] of wanted.entries()) expect(await found(together, replica)).toEqual(after);
      const evaluation = await together.objective.evaluate(test);
      expect(evaluation).toMatchObject(evaluation.replicas[0]!);
      expect(evaluation.replicas).toEqual(wanted.map(({ evaluation }) => evaluation));
      expect(evaluation.replicas[1]).toEqual(evaluated!.replicas[1]);
      together.optimizer.resume(1);
      for (const [replica, { last }] of wanted.entries()) expect(await further(together, replica)).toEqual(last);
      together.destroy();
    });
  });

  describe("batches", () => {
    it("smaller than the capacity, and of odd size, have the mean of their own rows", async () => {
      const model = createModel({ layers: [64, 13, 10] });
      const data = digitRows(0, 50);
      const small = await engine.trainee(model, randomTensors(model.config), { rule: "sgd" }, data, 7);
      const large = await engine.trainee(model, randomTensors(model.config), { rule: "sgd" }, data, 33);
      const rows = Uint32Array.of(3, 1, 4, 15, 9, 26, 5);
      const [inSmall] = await small.objective.gradient(rows);
      expect((await large.objective.gradient(rows))[0]).toBeCloseTo(inSmall!, 6);
      const [a, b] = [await small.optimizer.read("gradients"), await large.optimizer.read("gradients")];
      for (const name of Object.keys(a)) {
        const worst = Math.max(...a[name]!.map((g, i) => Math.abs(g - b[name]![i]!)));
        expect(worst, name).toBeLessThan(1e-7);
      }
      small.destroy();
      large.destroy();
    });

    it("are refused when empty, too large or out of the data set", async () => {
      const model = createModel({ layers: [64, 10] });
      const trainee = await engine.trainee(model, randomTensors(model.config), { rule: "sgd" }, digitRows(0, 9), 4);
      await expect(trainee.objective.step(Uint32Array.of())).rejects.toThrow(
        "was given 0 rows; this objective takes 1 to 4",
      );
      await expect(trainee.objective.step(new Uint32Array(5))).rejects.toThrow("was given 5 rows");
      await expect(trainee.objective.step(Uint32Array.of(1, 9))).rejects.toThrow("was given row 9; digits has 9 rows");
      trainee.destroy();
    });

    it("are refused when they are no whole number, or the optimizer is another model's", async () => {
      const model = createModel({ layers: [64, 10] });
      const make = (batch: number, config: ModelConfig) =>
        engine.trainee(model, randomTensors(config), { rule: "sgd" }, digitRows(0, 9), batch);
      await expect(make(0, model.config)).rejects.toThrow("batch is 0; it must be a whole number >= 1");
      await expect(make(1.5, model.config)).rejects.toThrow("batch is 1.5");
      await expect(make(4, { layers: [63, 10] })).rejects.toThrow(
        "the optimizer's tensor \"layer1.weight\" has shape [63, 10]; the model's has [64, 10]",
      );
    });

    it("are refused when the model does not fit the data", async () => {
      const make = (layers: number[]) => {
        const model = createModel({ layers });
        return engine.trainee(model, randomTensors(model.config), { rule: "sgd" }, digitRows(0, 9), 4);
      };
      await expect(make([63, 10])).rejects.toThrow("model.layers[0] is 63; the rows of digits have 64 numbers");
      await expect(make([64, 9])).rejects.toThrow("model.layers[1] is 9; digits has 10 classes");
    });
  });
}

/** Weights that are nothing special. */
function randomTensors(config: ModelConfig, seed = 0) {
  return createModel(config).layers.flatMap(({ inputs, outputs, weight, bias }) => [
    {
      name: weight,
      shape: [inputs, outputs],
      data: Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i + seed) / 8),
    },
    { name: bias, shape: [outputs], data: Float32Array.from({ length: outputs }, (_, i) => Math.cos(i + seed) / 8) },
  ]);
}

const valuesOf = (tensors: ReturnType<typeof randomTensors>) =>
  Object.fromEntries(tensors.map(({ name, data }) => [name, data]));
