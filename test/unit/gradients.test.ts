// Recorded gradients and training runs on the CPU reference, what fails them, and files that are malformed.
import { describe, expect, it } from "vitest";
import {
  type GradientCase,
  gradientCase,
  readGradients,
  readRecorded,
  readTraining,
  type TrainingRun,
  trainingRun,
} from "../../src/lab/gradients.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { goldenText } from "../golden.ts";

const engine = cpuEngine();
const digits = digitsDataset(goldenText("digits.json"), "digits.json");
const gradients = readGradients(goldenText("gradients.json"));
const training = readTraining(goldenText("training.json"));

/** A linear model of two inputs and an output that is right but for its target: loss (1·2 + 2·1 + 0.5 - 4)² = 0.25. */
const tiny: GradientCase = {
  id: "tiny",
  model: { layers: [2, 1], activation: "linear", loss: "meanSquaredError" },
  batch: 1,
  x: [2, 1],
  y: [4],
  weights: undefined,
  params: { "layer1.weight": [1, 2], "layer1.bias": [0.5] },
  loss: 0.25,
  gradients: { "layer1.weight": [2, 1], "layer1.bias": [1] },
  tolerance: { rtol: 1e-6, atol: 0 },
};

describe("recorded gradients", () => {
  it.each(gradients.cases)("$id", async (recorded) => {
    const result = await gradientCase(recorded, engine);
    expect(result).toMatchObject({ id: recorded.id, ok: true });
    expect(result).not.toHaveProperty("error");
    expect(result.maxAbs).toBe(Math.max(result.lossError!, result.gradientError!));
    expect(result.maxAbs).toBeLessThan(1e-6);
  });

  it("are compared by loss and by every number", async () => {
    expect(await gradientCase(tiny, engine)).toEqual({
      id: "tiny",
      maxAbs: 0,
      maxRel: 0,
      ok: true,
      lossError: 0,
      gradientError: 0,
    });
    const loss = await gradientCase({ ...tiny, loss: 0.2 }, engine);
    expect(loss).toMatchObject({ ok: false, error: "the loss is 0.25; 0.2 was expected, ± 2.0e-7" });
    expect(loss.maxRel).toBeCloseTo(0.25);
    const off = { "layer1.weight": [2, 1.5], "layer1.bias": [1.25] };
    expect(await gradientCase({ ...tiny, gradients: off }, engine)).toMatchObject({
      maxAbs: 0.5,
      maxRel: 0.5 / 1.5,
      ok: false,
      error: 'gradients["layer1.weight"][1] is 1; 1.5 was expected, ± 1.5e-6',
    });
    const tolerant = { ...tiny, gradients: off, tolerance: { rtol: 0, atol: 0.5 } };
    expect(await gradientCase(tolerant, engine)).toMatchObject({ ok: true, maxAbs: 0.5 });
  });

  it("are null where they overflow, and a sentence says so", async () => {
    const params = { "layer1.weight": [3e38, 3e38], "layer1.bias": [0] };
    const result = await gradientCase({ ...tiny, params }, engine);
    expect(result).toMatchObject({ ok: false, maxAbs: null, maxRel: null });
    expect(result.error).toMatch(/^the loss is .*; 0\.25 was expected|^gradients\[/);
  });

  it("fail where there is no such model, with its name", async () => {
    const model = { layers: [2, 1], activation: "nosuch" } as unknown as GradientCase["model"];
    const result = await gradientCase({ ...tiny, model }, engine);
    expect(result).toMatchObject({ ok: false, maxAbs: null, error: expect.stringContaining('"nosuch"') });
  });

  it("take the options of a loss beside it", async () => {
    const model = { layers: [2, 1], activation: "linear", loss: "huber", delta: 0.25 };
    const file = { format: "fallline-gradients/1", cases: [{ ...tiny, weights: [2], model }] };
    const [recorded] = readGradients(JSON.stringify(file)).cases;
    // delta · (|d| - delta/2) for d = 0.5, whose slope is delta.
    const expected = { loss: 0.09375, gradients: { "layer1.weight": [0.5, 0.25], "layer1.bias": [0.25] } };
    expect(await gradientCase({ ...recorded!, ...expected }, engine)).toMatchObject({ ok: true, maxAbs: 0 });
  });
});

describe("recorded training runs", () => {
  const short = (run: TrainingRun, more: Partial<TrainingRun> = {}): TrainingRun => ({
    ...run,
    batches: run.batches.slice(0, 2),
    losses: run.losses.slice(0, 2),
    ...more,
  });
  const [run] = training.runs as [TrainingRun];

  it.each(training.runs)("$id", async (recorded) => {
    const received: number[] = [];
    const result = await trainingRun(training, recorded, digits, engine, (steps) => received.push(steps));
    expect(result).toMatchObject({ id: recorded.id, ok: true });
    expect(result.maxAbs).toBeLessThan(1e-4);
    expect(Math.abs(result.testAccuracy! - recorded.testAccuracy!) * 597).toBeLessThan(1.001);
    expect(received).toEqual(recorded.losses.map((_, i) => i + 1));
  });

  it("fail by a loss, by the accuracy, and where they cannot run", async () => {
    const start = short(run, { testAccuracy: undefined });
    expect(await trainingRun(training, start, digits, engine)).toMatchObject({ ok: true, testAccuracy: null });
    const off = short(run, { losses: [run.losses[0]!, 9], testAccuracy: undefined });
    const failed = await trainingRun(training, off, digits, engine);
    expect(failed).toMatchObject({
      ok: false,
      error: expect.stringMatching(/^losses\[1\] is [\d.]+; 9 was expected, ±/),
    });
    expect(failed.maxAbs).toBeGreaterThan(1);
    const misjudged = await trainingRun(training, short(run, { testAccuracy: 1 }), digits, engine);
    expect(misjudged.error).toMatch(/^testAccuracy is 0\.\d+; 1 was expected, ± 1\/597$/);
    expect(misjudged.maxAbs).toBeLessThan(1e-4);
    for (const [wrong, error] of [
      [{ optimizer: { rule: "nosuch" } }, '"nosuch"'],
      [{ batches: [[0], [1797]] }, "row 1797; digits.json has 1797 rows"],
    ] as const) {
      const result = await trainingRun(training, short(run, wrong), digits, engine);
      expect(result).toMatchObject({ ok: false, maxAbs: null, error: expect.stringContaining(error) });
    }
    const late = await trainingRun({ trainRows: 1797 }, short(run), digits, engine);
    expect(late.error).toBe("trainRows is 1797; digits.json has 1797 rows, so none is left to test");
  });
});

describe("malformed files", () => {
  const { weights: _, ...entry } = tiny;
  const good = { format: "fallline-gradients/1", cases: [entry] };
  const gradient = (more: object) => ({ ...good, cases: [{ ...entry, ...more }] });
  const [first] = training.runs as [TrainingRun];
  const trained = (more: object, file: object = {}) => ({ ...training, runs: [{ ...first, ...more }], ...file });
  it.each<[string, unknown, string]>([
    [
      "another format",
      { format: "x/1" },
      'format is "x/1"; it must be "fallline-gradients/1" or "fallline-training/1"',
    ],
    ["no object", 3, "format is missing"],
    ["no cases", { ...good, cases: undefined }, "cases is missing; it must be an array"],
    ["no case at all", { ...good, cases: [] }, "cases is []; there must be at least one"],
    ["a case that is none", { ...good, cases: [7] }, "cases[0] is 7; it must be an object"],
    ["no id", gradient({ id: 1 }), "cases[0].id is 1; it must be a string"],
    ["no model", gradient({ model: null }), 'cases["tiny"].model is null; it must be an object'],
    ["half a batch", gradient({ batch: 1.5 }), 'cases["tiny"].batch is 1.5; it must be a whole number >= 1'],
    ["no inputs", gradient({ x: undefined }), 'cases["tiny"].x is missing; it must be an array'],
    ["an input that is null", gradient({ x: [2, null] }), 'cases["tiny"].x[1] is null; it must be a finite float32'],
    ["an input too large", gradient({ x: [1e39, 2] }), 'cases["tiny"].x[0] is 1e+39; it must be a finite float32'],
    ["inputs too few", gradient({ x: [2] }), 'cases["tiny"].x has 1 numbers; 1 rows of 2 need 2'],
    ["targets too many", gradient({ y: [2, 3] }), 'cases["tiny"].y has 2 numbers; 1 rows of 1 need 1'],
    [
      "a label too large",
      gradient({ model: { layers: [2, 1] }, y: [1] }),
      'cases["tiny"].y[0] is 1; it must be a label, a whole number in [0, 0]',
    ],
    [
      "a tensor missing",
      gradient({ params: { "layer1.weight": [1, 2] } }),
      'cases["tiny"].params["layer1.bias"] is missing; its shape [1] needs 1',
    ],
    [
      "a tensor too short",
      gradient({ gradients: { "layer1.weight": [1], "layer1.bias": [0] } }),
      'cases["tiny"].gradients["layer1.weight"] has 1 numbers; its shape [2, 1] needs 2',
    ],
    [
      "a tensor too many",
      gradient({ params: { ...tiny.params, other: [] } }),
      'cases["tiny"].params["other"] is not one of the model\'s tensors',
    ],
    ["no loss", gradient({ loss: "low" }), 'cases["tiny"].loss is "low"; it must be a finite float32'],
    ["no tolerance", gradient({ tolerance: undefined }), 'cases["tiny"].tolerance is missing'],
    [
      "a negative tolerance",
      gradient({ tolerance: { rtol: -1 } }),
      'cases["tiny"].tolerance.rtol is -1; it must be >= 0',
    ],
    [
      "a tolerance misspelt",
      gradient({ tolerance: { rTol: 1 } }),
      'tolerance has an unknown field "rTol"; it may have rtol',
    ],
    [
      "an id twice",
      { ...good, cases: [entry, entry] },
      'cases[1].id is "tiny", like that of cases[0]; ids must differ',
    ],
    ["runs of nothing", { ...training, runs: [] }, "runs is []; there must be at least one"],
    ["no runs", { ...training, runs: undefined }, "runs is missing; it must be an array"],
    ["a run twice", { ...training, runs: [first, first] }, `runs[1].id is "${first.id}", like that of runs[0]`],
    [
      "a row that tests",
      trained({ batches: [[0, 1200]], losses: [1] }),
      `runs["${first.id}"].batches[0][1] is 1200; trainRows is 1200; later rows are for testing`,
    ],
    ["no training rows", trained({}, { trainRows: 0 }), "trainRows is 0; it must be a whole number >= 1"],
    ["data that is no path", trained({}, { data: 3 }), "data is 3; it must be a path"],
    ["losses too few", trained({ losses: [1] }), `runs["${first.id}"].losses has 1 numbers for 60 batches`],
    [
      "an empty batch",
      trained({ batches: [[]] }),
      `runs["${first.id}"].batches[0] is []; a batch must have at least one row`,
    ],
    [
      "a row below 0",
      trained({ batches: [[-1]] }),
      `runs["${first.id}"].batches[0][0] is -1; it must be a whole number`,
    ],
    ["no optimizer", trained({ optimizer: "adam" }), `runs["${first.id}"].optimizer is "adam"; it must be an object`],
    ["an accuracy in percent", trained({ testAccuracy: 91 }), "testAccuracy is 91; it must be a share in [0, 1]"],
    ["initial values missing", trained({ initial: {} }), `runs["${first.id}"].initial["layer1.weight"] is missing`],
    [
      "a sharpness without rows",
      { ...training, sharpness: [{ ...training.sharpness[0], rows: "all" }] },
      `sharpness["${training.sharpness[0]!.id}"].rows is "all"; it must be a whole number >= 1`,
    ],
  ])("%s", (_, file, message) => {
    expect(() => readRecorded(JSON.stringify(file))).toThrow(message);
  });

  it("no JSON, and one format for the other", () => {
    expect(() => readRecorded("{")).toThrow(/^not JSON: /);
    expect(() => readTraining(JSON.stringify(good))).toThrow('it must be "fallline-training/1"');
  });
});
