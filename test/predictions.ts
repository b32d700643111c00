// The laws of predictions, on whichever engine: they are what the CPU reference's pass gives, of any model, loss and number of
// rows, and agree with what an evaluation counts.
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../src/base/errors.ts";
import type { Dataset } from "../src/objectives/data/dataset.ts";
import { createModel, type ModelConfig } from "../src/objectives/models/index.ts";
import { mlp } from "../src/objectives/models/mlp.ts";
import { rnn } from "../src/objectives/models/rnn.ts";
import { initialTensors } from "../src/objectives/program.ts";
import type { TensorValues } from "../src/optimizer/optimizer.ts";
import { sgd } from "../src/rules/sgd.ts";
import { cpuEngine, createTrainee, type Engine } from "../src/train/engine.ts";
import { predict } from "../src/train/predict.ts";
import { config, data } from "./training.ts";

/** The parameters that a model starts from, with biases that are not 0. */
function paramsOf(model: ModelConfig): TensorValues {
  return Object.fromEntries(
    initialTensors(createModel(model), { seed: 5 }).map(({ name, shape, data: values }) => {
      const length = shape.reduce((size, side) => size * side, 1);
      return [name, Float32Array.from({ length }, (_, i) => values?.[i] ?? 0.3 * Math.cos(i))];
    }),
  );
}

const inputs = (rows: number, width: number) =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: width }, (_, j) => Math.sin(row + 3 * j)));

const poisson = (dimensions: number): ModelConfig => ({
  type: "pinn",
  layers: [dimensions, 7, 1],
  problem: { type: "poisson", k: 1, dimensions },
});

export function predictionLaws(makeEngine: () => Promise<Engine>): void {
  describe("predict", () => {
    it.each<[string, ModelConfig, number, number]>([
      ["softmax", mlp([5, 7, 3], { dropout: 0.5 }), 9, 5],
      ["sigmoid", mlp([3, 4, 2], { loss: "sigmoidBinaryCrossEntropy", activation: "gelu" }), 1, 3],
      ["numbers, in more batches than one", mlp([2, 5, 2], { loss: "meanSquaredError" }), 9001, 2],
      ["a network through time", rnn({ inputs: 2, steps: 3, hidden: 5, outputs: 3, loss: { type: "huber" } }), 70, 6],
      ["an equation", poisson(1), 11, 1],
      ["an equation in two dimensions", poisson(2), 6, 2],
    ])("agrees with the reference: %s", async (_, model, rows, width) => {
      const params = paramsOf(model);
      const given = inputs(rows, width);
      const made = createModel(model);
      const every = Uint32Array.from({ length: rows }, (_, row) => row);
      // Of an equation's outputs each stands before its derivatives.
      const { outputs } = made.cpuPass((name) => params[name]!, {
        inputs: Float64Array.from(given.flat(), Math.fround),
        rows: every,
        step: undefined,
      });
      const predictions = await predict(model, params, given, { engine: await makeEngine() });
      expect(predictions).toHaveLength(rows);
      const found = predictions.map(({ values, probabilities }) => values ?? probabilities);
      let worst = 0;
      predictions.forEach((prediction, row) => {
        const own = Array.from({ length: made.outputs }, (_, j) => outputs[(row * made.outputs + j) * made.channels]!);
        const exps = own.map(Math.exp);
        const sum = exps.reduce((total, each) => total + each, 0);
        const loss = made.config.type === "pinn" ? "" : made.config.loss.type;
        const wanted =
          loss === "softmaxCrossEntropy"
            ? exps.map((each) => each / sum)
            : loss === "sigmoidBinaryCrossEntropy"
              ? exps.map((each) => each / (1 + each))
              : own;
        wanted.forEach((value, j) => {
          worst = Math.max(worst, Math.abs(found[row]![j]! - value) / (1 + Math.abs(value)));
        });
        if (row > 100) return;
        expect(found[row]).toHaveLength(made.outputs);
        if (loss !== "softmaxCrossEntropy") expect(prediction.class).toBeUndefined();
        else expect(prediction.class).toBe(wanted.indexOf(Math.max(...wanted)));
      });
      expect(worst).toBeLessThan(2e-6);
    });

    it("is right as often as an evaluation says, in a data set's names and scale", async () => {
      const engine = await makeEngine();
      const named: Dataset = {
        ...{ ...data, classNames: ["ant", "bee", "cow"], scale: 1 / 255 },
        inputs: Uint8Array.from({ length: 128 }, (_, i) => (37 * i) % 256),
      };
      const params = paramsOf(config.model);
      const tensors = initialTensors(createModel(config.model)).map((tensor) => ({
        ...tensor,
        data: params[tensor.name]!,
      }));
      const trainee = await createTrainee(engine, createModel(config.model), tensors, sgd({ lr: 0.1 }), {
        data: named,
        batch: 8,
      });
      const { accuracy } = await trainee.objective.evaluate(named);
      trainee.destroy();
      const predictions = await predict(config.model, params, named, { engine });
      const right = predictions.filter(({ class: name }, row) => name === named.classNames![named.labels[row]!]);
      expect(right.length / named.count).toBeCloseTo(accuracy, 6);
      const rows = { engine, classes: named.classNames, scale: named.scale };
      expect(await predict(config.model, params, [...named.inputs], rows)).toEqual(predictions);
    });

    it("of one output says a class where the classes are known", async () => {
      const engine = await makeEngine();
      const model = mlp([1, 1], { loss: "sigmoidBinaryCrossEntropy" });
      const params = { "layer1.weight": Float32Array.of(2), "layer1.bias": Float32Array.of(0) };
      const found = await predict(model, params, [-1, 1], { engine, classes: ["no", "yes"] });
      expect(found.map((each) => each.class)).toEqual(["no", "yes"]);
      const share = 1 / (1 + Math.exp(-2));
      expect(found[1]!.probabilities).toEqual([expect.closeTo(1 - share, 6), expect.closeTo(share, 6)]);
      expect((await predict(model, params, [[1]], { engine }))[0]).toEqual({ values: [expect.closeTo(share, 6)] });
      expect(await predict(model, params, [], { engine })).toEqual([]);
    });

    it("refuses what is not the model's, before anything is made", async () => {
      const engine = await makeEngine();
      const model = mlp([2, 2]);
      const params = paramsOf(model);
      const rows = [[1, 2]];
      const { "layer1.bias": _, ...less } = params;
      const refused = async (work: Promise<unknown>, kind: new () => Error, message: string) => {
        await expect(work).rejects.toThrow(kind);
        await expect(work).rejects.toThrow(message);
      };
      await refused(predict(model, less, rows, { engine }), OptionError, 'params["layer1.bias"] is missing');
      await refused(
        predict(mlp([2, 3]), params, rows, { engine }),
        OptionError,
        "has 4 numbers; the tensor of 2-3 has 6",
      );
      await refused(
        predict(mlp([2, 2], { bias: false }), params, rows, { engine }),
        OptionError,
        'params has "layer1.bias"; the tensors of 2-2 are layer1.weight',
      );
      const broken = { ...params, "layer1.bias": Float32Array.of(0, Number.NaN) };
      await refused(predict(model, broken, rows, { engine }), OptionError, 'params["layer1.bias"][1] is NaN');
      await refused(predict(model, params, [[1]], { engine }), DataError, "row 0 has 1 numbers; it must have 2");
      await refused(predict(model, params, [[1, Number.NaN]], { engine }), DataError, "row 0 has NaN as number 1");
      await refused(predict(model, params, data, { engine }), OptionError, "the rows of toy have 4 numbers");
      await refused(predict(model, params, rows, { engine: {} as Engine }), OptionError, "engine is {}");
      const classes = ["a", "b", "c", "d"];
      await refused(predict(model, params, rows, { engine, classes }), OptionError, "classes has 4 names");
      await refused(
        predict(model, params, rows, { engine, classes: Array(3) as string[] }),
        OptionError,
        "or an array of different names",
      );
      const huge = { ...params, "layer1.weight": Float32Array.of(3e38, 0, 3e38, 0) };
      const finite = engine.backend === "cpu";
      const work = predict(model, huge, [[3, 4]], { engine });
      await (finite ? expect(work).resolves.toHaveLength(1) : expect(work).rejects.toThrow("as output 0"));
    });

    it("takes the reference where no engine is given and there is no WebGPU", async () => {
      const model = mlp([2, 2]);
      const params = paramsOf(model);
      const found = await predict(model, params, [[1, 2]], { engine: cpuEngine() });
      const others = await predict(model, params, [[1, 2]]);
      expect(others[0]!.class).toBe(found[0]!.class);
    });
  });
}
