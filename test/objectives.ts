// The laws of objectives, on whichever engine: recorded sharpness, replicas, weights, batches, and what is refused.

import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../src/base/errors.ts";
import { Random } from "../src/base/random.ts";
import { readTraining } from "../src/lab/gradients.ts";
import { lossScale } from "../src/modifiers/loss_scale.ts";
import { type Dataset, sliceRows } from "../src/objectives/data/dataset.ts";
import { digitsDataset } from "../src/objectives/data/digits.ts";
import type { Model } from "../src/objectives/model.ts";
import { createModel, type ModelConfig } from "../src/objectives/models/index.ts";
import type { MlpConfig } from "../src/objectives/models/mlp.ts";
import type { Evaluation, ObjectiveOptions } from "../src/objectives/objective.ts";
import { loadCheckpoint, saveCheckpoint } from "../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../src/optimizer/config.ts";
import type { TensorValues } from "../src/optimizer/optimizer.ts";
import { sgd } from "../src/rules/sgd.ts";
import { createTrainee, type Engine, type Trainee } from "../src/train/engine.ts";
import { goldenText } from "./golden.ts";

export const training = readTraining(goldenText("training.json"));
export const digits = digitsDataset(goldenText("digits.json"), "digits");

const digitRows = (from: number, to: number) => sliceRows(digits, from, to);

export function objectiveLaws(engine: Engine): void {
  const traineeOf = (model: Model, options: ObjectiveOptions, optimizer: OptimizerConfig = { rule: sgd }) =>
    createTrainee(engine, model, randomTensors(model), optimizer, options);

  describe("sharpness", () => {
    it.each(training.sharpness)("$id", async ({ model: config, rows, params, largest, tolerance }) => {
      const model = createModel(config);
      const tensors = model.program.tensors().map((tensor) => ({ ...tensor, data: params[tensor.name]! }));
      const trainee = await createTrainee(
        engine,
        model,
        tensors,
        { rule: sgd },
        { data: digitRows(0, rows), batch: rows },
      );
      const before = await found(trainee, 0);
      const random = new Random(1);
      let vector: TensorValues = Object.fromEntries(
        trainee.optimizer.segments.map(({ name, length }) => [
          name,
          Float32Array.from({ length }, () => random.normal()),
        ]),
      );
      let quotient = 0;
      // Power iteration: after k products the quotient is as near as the second eigenvalue's share to the power 2k.
      for (let k = 0; k < 20; k++) {
        const product = await trainee.objective.hessianVector(vector, { rows: allRows(rows) });
        quotient = dot(vector, product) / dot(vector, vector);
        vector = product;
      }
      expect(Math.abs(quotient / largest - 1)).toBeLessThan(tolerance.rtol);
      expect(await found(trainee, 0)).toEqual(before);
      trainee.destroy();
    });

    it("is not taken of a vector that is none, or a replica that is halted", async () => {
      const model = createModel({ layers: [64, 10] });
      const trainee = await traineeOf(model, { data: digitRows(0, 9), batch: 9 });
      const along = (vector: TensorValues) => trainee.objective.hessianVector(vector, { rows: allRows(9) });
      const vector = { "layer1.weight": new Float32Array(640), "layer1.bias": new Float32Array(10) };
      await expect(along(vector)).rejects.toThrow("vector has norm 0; it must be finite and > 0");
      await expect(along({ "layer1.weight": vector["layer1.weight"] })).rejects.toThrow(
        'vector["layer1.bias"] is missing; the tensor has 10',
      );
      vector["layer1.bias"][0] = 1;
      const [once, rows] = [structuredClone(vector), allRows(9)];
      const later = trainee.objective.hessianVector(once, { rows });
      once["layer1.bias"].fill(7);
      rows.fill(0);
      expect(await later, "of arrays filled anew").toEqual(await along(vector));
      trainee.optimizer.halt(0);
      await expect(along(vector)).rejects.toThrow("replica 0 is halted");
      trainee.optimizer.resume(0);
      const beside = trainee.objective.evaluate(digitRows(0, 20));
      await Promise.all([
        expect(beside).rejects.toThrow("steps were made during evaluate(); await it before a step"),
        trainee.objective.step(allRows(9)),
      ]);
      trainee.destroy();
    });
  });

  describe("replicas", () => {
    // Blocked products and the others; the loss scale grows at every update, so that each replica has its own.
    const model = createModel({ layers: [64, 12, 10] });
    const shared = { rule: sgd, momentum: 0.9, modifiers: [lossScale({ init: 64, interval: 1 })] } as const;
    const rates = [0.1, 0.3, 0.02];
    const initial = rates.map((_, replica) => valuesOf(randomTensors(model, replica)));
    const rows = Array.from({ length: 5 }, (_, step) =>
      Uint32Array.from({ length: 7 }, (_, i) => (11 * step + i) % 50),
    );
    /** Replica 1 is halted after the third step. */
    const rowsOf = (replica: number) => (replica === 1 ? rows.slice(0, 3) : rows);
    const [data, test] = [digitRows(0, 50), digitRows(50, 63)];

    /** Loss and gradient of one more batch. */
    async function further({ optimizer, objective }: Trainee, replica: number) {
      const losses = await objective.gradient(rows[0]!);
      return { loss: losses[replica], gradients: await optimizer.read("gradients", { replica }) };
    }

    it("have the bits of a run alone, and keep them while they are halted", async () => {
      const alone = await traineeOf(model, { data, batch: 7 }, shared);
      const fresh = await saveCheckpoint(alone.optimizer);
      const wanted = [];
      for (const [replica, lr] of rates.entries()) {
        await loadCheckpoint(alone.optimizer, fresh);
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
      const together = await traineeOf(model, { data, batch: 7 }, config);
      initial.forEach((values, replica) => {
        together.optimizer.write("params", values, { replica });
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

  describe("weights", () => {
    const model = createModel({ layers: [64, 12, 10] });
    const rows = allRows(6);
    const gradientOf = async (data: Dataset, of: Uint32Array) => {
      const trainee = await traineeOf(model, { data, batch: 8 });
      const [loss] = await trainee.objective.gradient(of);
      const { gradients } = await found(trainee, 0);
      const evaluation = await trainee.objective.evaluate(data);
      trainee.destroy();
      return { loss: loss!, gradients, evaluation };
    };

    it("count a row as often as they say, or not at all", async () => {
      const plain = digitRows(0, 6);
      const weighted = await gradientOf({ ...plain, weights: Float32Array.of(1, 2, 0, 1, 3, 1) }, rows);
      const repeated = await gradientOf(plain, Uint32Array.of(0, 1, 1, 3, 4, 4, 4, 5));
      expect(Math.abs(weighted.loss - repeated.loss)).toBeLessThan(1e-6);
      expect(worstDifference(weighted.gradients, repeated.gradients)).toBeLessThan(1e-7);
      expect(Math.abs(weighted.evaluation.loss - weighted.loss)).toBeLessThan(1e-6);
      const each = await Promise.all(
        [0, 1, 3, 4, 5].map((row) => gradientOf(sliceRows(plain, row, row + 1), rows.subarray(0, 1))),
      );
      const hits = each.reduce((sum, { evaluation }, i) => sum + [1, 2, 1, 3, 1][i]! * evaluation.accuracy, 0);
      expect(weighted.evaluation.accuracy).toBeCloseTo(hits / 8, 6);
    });

    it("of which none counts have no loss and no gradient, and test nothing", async () => {
      const none = { ...digitRows(0, 6), weights: Float32Array.of(0, 1, 0, 0, 0, 0) };
      const trainee = await traineeOf(model, { data: none, batch: 8 });
      await trainee.objective.gradient(rows);
      expect(await trainee.objective.gradient(Uint32Array.of(0, 2))).toEqual([0]);
      for (const values of Object.values((await found(trainee, 0)).gradients)) {
        expect(values.every((value) => value === 0)).toBe(true);
      }
      const before = await trainee.optimizer.read();
      expect(await trainee.objective.step(Uint32Array.of(3, 4))).toMatchObject({ loss: 0, step: 1 });
      expect(await trainee.optimizer.read()).toEqual(before);
      expect(await trainee.objective.evaluate({ ...none, weights: new Float32Array(6) })).toMatchObject({
        loss: Number.NaN,
        accuracy: Number.NaN,
      });
      trainee.destroy();
    });
  });

  describe("micro-batches", () => {
    it.each<[string, ModelConfig]>([
      ["perceptron", { layers: [64, 12, 10], l2: 0.1, dropout: 0.3, activation: "gelu" }],
      ["recurrent network", { type: "rnn", inputs: 8, steps: 8, hidden: 6, outputs: 10, l2: 0.1 }],
    ])("add up to the whole, %s", async (_, config) => {
      const model = createModel(config);
      const data = { ...digitRows(0, 150), weights: Float32Array.from({ length: 150 }, (_, i) => 1 + (i % 3)) };
      const of = async (microBatch?: number) => {
        const trainee = await traineeOf(model, { data, batch: 140, microBatch });
        const losses = [];
        for (const rows of [allRows(140), allRows(75)]) losses.push((await trainee.objective.gradient(rows))[0]!);
        const { gradients } = await found(trainee, 0);
        const { loss, accuracy } = await trainee.objective.evaluate(data);
        trainee.destroy();
        return { losses, gradients, loss, accuracy };
      };
      const [whole, micro] = [await of(), await of(64)];
      for (const [i, loss] of whole.losses.entries()) expect(Math.abs(micro.losses[i]! - loss)).toBeLessThan(1e-6);
      expect(worstDifference(micro.gradients, whole.gradients)).toBeLessThan(2e-7);
      expect(Math.abs(micro.loss - whole.loss)).toBeLessThan(1e-6);
      expect(micro.accuracy).toBe(whole.accuracy);
    });
  });

  describe("dropout", () => {
    const model = createModel({ layers: [64, 40, 10], dropout: { rate: 0.4, seed: 7 } });
    const data = digitRows(0, 20);

    it("drops the same again until the next update, and nothing in an evaluation", async () => {
      const whole = createModel({ layers: [64, 40, 10] });
      const sure = await traineeOf(whole, { data, batch: 20 }, { rule: sgd, lr: 0 });
      const trainee = await traineeOf(model, { data, batch: 20 }, { rule: sgd, lr: 0 });
      const [first] = await trainee.objective.gradient(allRows(20));
      const { loss } = await trainee.objective.step(allRows(20));
      const [next] = await trainee.objective.gradient(allRows(20));
      expect(loss).toBe(first);
      expect(next).not.toBe(first);
      expect((await trainee.objective.evaluate(data)).loss).toBe((await sure.objective.evaluate(data)).loss);
      expect((await sure.objective.gradient(allRows(20)))[0]).not.toBe(first);
      trainee.destroy();
      sure.destroy();
    });
  });

  describe("data", () => {
    it.each<[string, MlpConfig["loss"], Partial<Dataset> & object, new (message: string) => Error, string]>([
      [
        "a label out of range",
        undefined,
        { labels: Uint8Array.of(1, 2, 10, 0) },
        DataError,
        "digits: row 2 has label 10",
      ],
      [
        "an input that is no number",
        undefined,
        { inputs: Float32Array.from({ length: 256 }, (_, i) => (i === 130 ? Number.NaN : 0)) },
        DataError,
        "digits: row 2 has NaN as input 2; numbers must be finite",
      ],
      [
        "a weight below zero",
        undefined,
        { weights: Float32Array.of(1, 1, 1, -1) },
        DataError,
        "digits: row 3 has weight -1; weights are finite and >= 0",
      ],
      [
        "targets for a loss of labels",
        undefined,
        { labels: undefined, targets: new Float32Array(40), outputs: 10, classes: undefined } as object,
        OptionError,
        "model.loss is softmaxCrossEntropy, which needs labels",
      ],
      [
        "targets that are no shares",
        "sigmoidBinaryCrossEntropy",
        { labels: undefined, targets: new Float32Array(40).fill(2, 12), outputs: 10, classes: undefined } as object,
        DataError,
        "digits: row 1 has target 2; sigmoidBinaryCrossEntropy takes targets in [0, 1]",
      ],
    ])("with %s is refused", async (_, loss, part, kind, message) => {
      const model = createModel({ layers: [64, 10], loss });
      const data = Object.fromEntries(
        Object.entries({ ...digitRows(0, 4), ...part }).filter(([, value]) => value !== undefined),
      ) as unknown as Dataset;
      const making = traineeOf(model, { data, batch: 4 });
      await expect(making).rejects.toThrow(kind);
      await expect(making).rejects.toThrow(message);
    });
  });

  describe("batches", () => {
    it("smaller than the capacity, and of odd size, have the mean of their own rows", async () => {
      const model = createModel({ layers: [64, 13, 10] });
      const data = digitRows(0, 50);
      const small = await traineeOf(model, { data, batch: 7 });
      const large = await traineeOf(model, { data, batch: 33 });
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
      const trainee = await traineeOf(model, { data: digitRows(0, 9), batch: 4 });
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
        createTrainee(
          engine,
          model,
          randomTensors(createModel(config)),
          { rule: sgd },
          { data: digitRows(0, 9), batch },
        );
      await expect(make(0, model.config)).rejects.toThrow("batch is 0; it must be a whole number >= 1");
      await expect(make(1.5, model.config)).rejects.toThrow("batch is 1.5");
      await expect(make(4, { layers: [63, 10] })).rejects.toThrow(
        "the optimizer's tensor \"layer1.weight\" has shape [63, 10]; the model's has [64, 10]",
      );
    });

    it("are refused when the model does not fit the data", async () => {
      const make = (layers: number[]) => {
        const model = createModel({ layers });
        return traineeOf(model, { data: digitRows(0, 9), batch: 4 });
      };
      await expect(make([63, 10])).rejects.toThrow("model.layers[0] is 63; the rows of digits have 64 numbers");
      await expect(make([64, 9])).rejects.toThrow("model.layers[1] is 9; digits has 10 classes");
    });
  });
}

/** Weights that are nothing special. */
function randomTensors(model: Model, seed = 0) {
  return model.program.tensors().map(({ name, shape }, index) => {
    const length = shape.reduce((product, side) => product * side);
    return { name, shape, data: Float32Array.from({ length }, (_, i) => Math.sin(i + seed + 2 * (index % 2)) / 8) };
  });
}

const valuesOf = (tensors: ReturnType<typeof randomTensors>) =>
  Object.fromEntries(tensors.map(({ name, data }) => [name, data]));

const allRows = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);

function dot(a: TensorValues, b: TensorValues): number {
  return Object.entries(a).reduce((sum, [name, values]) => values.reduce((s, x, i) => s + x * b[name]![i]!, sum), 0);
}

function worstDifference(a: TensorValues, b: TensorValues): number {
  return Math.max(...Object.keys(a).map((name) => Math.max(...a[name]!.map((x, i) => Math.abs(x - b[name]![i]!)))));
}

async function found({ optimizer }: Trainee, replica: number) {
  return {
    params: await optimizer.read("params", { replica }),
    gradients: await optimizer.read("gradients", { replica }),
  };
}
