// Gradients and training runs recorded by another program, checked against an engine: `fallline-gradients/1` and
// `fallline-training/1` (test/golden/README.md describes both).

import { DataError, OptionError, refusal, show } from "../base/errors.ts";
import { readListener, readMade } from "../base/options.ts";
import { type Dataset, readDataset, sliceRows } from "../objectives/data/dataset.ts";
import type { Model } from "../objectives/model.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { createPipeline } from "../objectives/pipeline.ts";
import { readConfig } from "../optimizer/read_config.ts";
import { sgd } from "../rules/sgd.ts";
import { readEngine } from "../train/arguments.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import {
  attempt,
  entries,
  list,
  number,
  numbers,
  type Recorded,
  readTolerance,
  record,
  recordedFile,
  recordedTensors,
  type Tolerance,
  type Values,
  values,
  whole,
} from "./recorded.ts";

const gradientFormat = "fallline-gradients/1";
const trainingFormat = "fallline-training/1";

/** A model with its parameters, and the loss and gradients of one batch. */
export interface GradientCase {
  /** The case's name. */
  readonly id: string;
  /** The model's config. */
  readonly model: ModelConfig;
  /** Examples in the batch. */
  readonly batch: number;
  /** The inputs, row after row. */
  readonly x: readonly number[];
  /** A label for each row if the loss is softmax cross-entropy, else as many targets as the model has outputs. */
  readonly y: readonly number[];
  /** The weight of each row; undefined if all count the same. */
  readonly weights: readonly number[] | undefined;
  /** The parameters, by name. */
  readonly params: Values;
  /** The mean loss of the batch, from the reference. */
  readonly loss: number;
  /** The gradient of each parameter, from the reference. */
  readonly gradients: Values;
  /** The allowed error of a gradient. */
  readonly tolerance: Tolerance;
}

/** A `fallline-gradients/1` file. */
export interface GradientFile {
  /** The format and its version. */
  readonly format: typeof gradientFormat;
  /** The cases. */
  readonly cases: readonly GradientCase[];
}

/** A training run: from these parameters, on these rows, with these losses before each update. */
export interface TrainingRun {
  /** The run's name. */
  readonly id: string;
  /** The model's config. */
  readonly model: ModelConfig;
  /** The optimizer's config. */
  readonly optimizer: object;
  /** The parameters before the first step, by name. */
  readonly initial: Values;
  /** The rows of each step's batch. */
  readonly batches: readonly (readonly number[])[];
  /** The loss of each step. */
  readonly losses: readonly number[];
  /** On the test rows; undefined if none is recorded. */
  readonly testAccuracy: number | undefined;
  /** The allowed error of a loss. */
  readonly tolerance: Tolerance;
}

/** Eigenvalues of the Hessian of the mean loss over the first `rows` rows. */
export interface SharpnessCase {
  /** The case's name. */
  readonly id: string;
  /** The model's config. */
  readonly model: ModelConfig;
  /** The rows of the batch. */
  readonly rows: number;
  /** The parameters, by name. */
  readonly params: Values;
  /** The largest eigenvalue of the Hessian. */
  readonly largest: number;
  /** The second largest. */
  readonly second: number;
  /** The smallest. */
  readonly smallest: number;
  /** The allowed error of an eigenvalue. */
  readonly tolerance: Tolerance;
}

/** A `fallline-training/1` file. */
export interface TrainingFile {
  /** The format and its version. */
  readonly format: typeof trainingFormat;
  /** The path of the data set relative to the file; undefined if the file does not name it. */
  readonly data: string | undefined;
  /** The rows before this one train; it and those after it test. */
  readonly trainRows: number;
  /** Recorded runs. */
  readonly runs: readonly TrainingRun[];
  /** Recorded eigenvalues. */
  readonly sharpness: readonly SharpnessCase[];
}

/** How far an engine is from the record. */
export interface CaseResult {
  /** The case's name in the file. */
  readonly id: string;
  /** Largest |ours - expected|; null where the case did not run, or a number was not finite. */
  readonly maxAbs: number | null;
  /** Largest |ours - expected| / |expected| over expected values other than 0. */
  readonly maxRel: number | null;
  /** Whether every |ours - expected| <= atol + rtol·|expected|. */
  readonly ok: boolean;
  /** Why a case failed: why it did not run, or which value is furthest beyond its tolerance. */
  readonly error?: string;
}

/** The result of a recorded gradient. */
export interface GradientResult extends CaseResult {
  /** |ours - expected| of the loss alone, and the largest of the gradients; null as `maxAbs` is. */
  readonly lossError: number | null;
  /** The largest difference of a gradient. */
  readonly gradientError: number | null;
}

/** `maxAbs` and `maxRel` are those of the losses. */
export interface TrainingResult extends CaseResult {
  /** Share of the test rows that are right in the end; null if the run did not get there, or there are none. */
  readonly testAccuracy: number | null;
}

/**
 * Reads a file of recorded gradients.
 *
 * @throws DataError for a malformed file, with the field and its case.
 */
export function readGradients(text: string): GradientFile {
  return readGradientFile(recordedFile(text, [gradientFormat]));
}

/**
 * Reads a file of recorded training runs.
 *
 * @throws DataError for a malformed file, with the field and its run.
 */
export function readTraining(text: string): TrainingFile {
  return readTrainingFile(recordedFile(text, [trainingFormat]));
}

/** Reads either, as its `format` decides. */
export function readRecorded(text: string): GradientFile | TrainingFile {
  const file = recordedFile(text, [gradientFormat, trainingFormat]);
  return file.format === gradientFormat ? readGradientFile(file) : readTrainingFile(file);
}

function readGradientFile(file: Recorded): GradientFile {
  const cases = entries("cases", file.cases, (fields, where) => {
    const config = readModel(`${where}.model`, fields.model);
    const found = {
      model: config,
      batch: whole(`${where}.batch`, fields.batch, 1),
      x: numbers(`${where}.x`, fields.x),
      y: numbers(`${where}.y`, fields.y),
      weights: fields.weights === undefined ? undefined : numbers(`${where}.weights`, fields.weights),
      params: values(`${where}.params`, fields.params),
      loss: number(`${where}.loss`, fields.loss),
      gradients: values(`${where}.gradients`, fields.gradients),
      tolerance: toleranceOf(`${where}.tolerance`, fields.tolerance),
    };
    const model = knownModel(config);
    if (model) checkCase(where, model, found);
    return found;
  });
  mustDiffer("cases", cases);
  if (cases.length === 0) throw new DataError("cases is []; there must be at least one");
  return { format: gradientFormat, cases };
}

function readTrainingFile(file: Recorded): TrainingFile {
  const { data } = file;
  if (data !== undefined && typeof data !== "string") throw refusal("data", data, "a path", DataError);
  const trainRows = whole("trainRows", file.trainRows, 1);
  const runs = entries("runs", file.runs, (fields, where) => {
    const batches = list(`${where}.batches`, fields.batches).map((batch, step) => {
      const name = `${where}.batches[${step}]`;
      const rows = list(name, batch).map((row, j) => whole(`${name}[${j}]`, row, 0));
      if (rows.length === 0) throw new DataError(`${name} is []; a batch must have at least one row`);
      const late = rows.findIndex((row) => row >= trainRows);
      if (late >= 0) {
        throw new DataError(`${name}[${late}] is ${rows[late]}; trainRows is ${trainRows}; later rows are for testing`);
      }
      return rows;
    });
    const losses = numbers(`${where}.losses`, fields.losses);
    if (losses.length !== batches.length || losses.length === 0) {
      throw new DataError(`${where}.losses has ${losses.length} numbers for ${batches.length} batches`);
    }
    return {
      ...readParams(where, "initial", fields),
      optimizer: record(`${where}.optimizer`, fields.optimizer),
      batches,
      losses,
      testAccuracy: isGiven(fields.testAccuracy) ? share(`${where}.testAccuracy`, fields.testAccuracy) : undefined,
      tolerance: toleranceOf(`${where}.tolerance`, fields.tolerance),
    };
  });
  const sharpness = entries("sharpness", file.sharpness ?? [], (fields, where) => {
    const { model, initial } = readParams(where, "params", fields);
    return {
      model,
      params: initial,
      rows: whole(`${where}.rows`, fields.rows, 1),
      largest: number(`${where}.largest`, fields.largest),
      second: number(`${where}.second`, fields.second),
      smallest: number(`${where}.smallest`, fields.smallest),
      tolerance: toleranceOf(`${where}.tolerance`, fields.tolerance),
    };
  });
  mustDiffer("runs", runs);
  mustDiffer("sharpness", sharpness);
  if (runs.length === 0) throw new DataError("runs is []; there must be at least one");
  return { format: trainingFormat, data, trainRows, runs, sharpness };
}

/** @throws DataError where two entries of a list have the same id, by which results are identified. */
function mustDiffer(name: string, found: readonly { readonly id: string }[]): void {
  found.forEach(({ id }, i) => {
    const before = found.findIndex((other) => other.id === id);
    if (before === i) return;
    throw new DataError(`${name}[${i}].id is ${show(id)}, like that of ${name}[${before}]; ids must differ`);
  });
}

/** A misspelt part would silently tolerate nothing otherwise. */
function toleranceOf(where: string, value: unknown): Tolerance {
  const known = ["rtol", "atol"];
  const other = Object.keys(record(where, value)).find((key) => !known.includes(key));
  if (other !== undefined)
    throw new DataError(`${where} has an unknown field ${show(other)}; it may have rtol and atol`);
  return readTolerance(where, value);
}

/**
 * Computes the loss and the gradients of one case. Where it cannot run, its error says why.
 *
 * @throws OptionError for anything but a case and an engine.
 */
export async function gradientCase(recorded: GradientCase, engine: Engine): Promise<GradientResult> {
  readMade("recorded", recorded, "a case of readGradients()", {
    ...{ id: "string", model: "object", batch: "number", x: "array", y: "array", loss: "number" },
    ...{ params: "object", gradients: "object", tolerance: "object" },
  });
  readEngine(engine);
  const { id, batch, params, tolerance } = recorded;
  const loss = compare(tolerance);
  const gradients = compare(tolerance);
  const error = await attempt(async () => {
    const model = createModel(recorded.model);
    const data = dataOf(model, recorded);
    const trainee = await createTrainee(engine, model, recordedTensors(model.program.tensors(), params), sgd(), {
      data,
      batch,
    });
    try {
      const [ours] = await trainee.objective.gradient(Uint32Array.from({ length: batch }, (_, row) => row));
      loss.add(ours!, recorded.loss, () => "the loss");
      const found = await trainee.optimizer.read("gradients");
      for (const [name, expected] of Object.entries(recorded.gradients)) {
        for (const [i, want] of expected.entries()) {
          gradients.add(found[name]![i]!, want, () => `gradients["${name}"][${i}]`);
        }
      }
    } finally {
      trainee.destroy();
    }
  });
  if (error !== undefined) {
    return { id, maxAbs: null, maxRel: null, ok: false, error, lossError: null, gradientError: null };
  }
  const [ofLoss, ofGradients] = [loss.verdict(), gradients.verdict()];
  const why = ofLoss.error ?? ofGradients.error;
  return {
    id,
    maxAbs: larger(ofLoss.maxAbs, ofGradients.maxAbs),
    maxRel: larger(ofLoss.maxRel, ofGradients.maxRel),
    ok: why === undefined,
    ...(why === undefined ? {} : { error: why }),
    lossError: ofLoss.maxAbs,
    gradientError: ofGradients.maxAbs,
  };
}

/**
 * Makes the steps of one run, and tests the result. It passes if every loss is within its tolerance and the accuracy
 * differs by at most one example.
 *
 * @param data The whole data set; the rows from `trainRows` on test.
 * @param onStep Called with how many steps are done.
 */
export async function trainingRun(
  file: Pick<TrainingFile, "trainRows">,
  run: TrainingRun,
  data: Dataset,
  engine: Engine,
  onStep: (steps: number) => void = () => {},
): Promise<TrainingResult> {
  const { trainRows } = readMade("file", file, "what readTraining() gives", { trainRows: "number" });
  readMade("run", run, "a run of readTraining()", {
    ...{ id: "string", model: "object", optimizer: "object", initial: "object" },
    ...{ batches: "array", losses: "array", tolerance: "object" },
  });
  readDataset("data", data);
  readEngine(engine);
  readListener("onStep", onStep);
  const losses = compare(run.tolerance);
  let testAccuracy: number | null = null;
  let misjudged: string | undefined;
  const error = await attempt(async () => {
    const model = createModel(run.model);
    if (run.testAccuracy !== undefined && trainRows >= data.count) {
      throw new OptionError(`trainRows is ${trainRows}; ${data.name} has ${data.count} rows, so none is left to test`);
    }
    const largest = Math.max(...run.batches.map(({ length }) => length));
    const optimizer = readConfig(run.optimizer);
    const tensors = recordedTensors(model.program.tensors(), run.initial, "initial");
    const trainee = await createTrainee(engine, model, tensors, optimizer, { data, batch: largest });
    const { objective } = trainee;
    let steps = 0;
    const pipeline = createPipeline(({ loss }: { readonly loss: number }) => {
      const step = steps++;
      losses.add(loss, run.losses[step]!, () => `losses[${step}]`);
      onStep(steps);
    });
    try {
      for (const rows of run.batches) await pipeline.start(() => objective.step(Uint32Array.from(rows)));
      await pipeline.drain();
      if (run.testAccuracy === undefined) return;
      const tests = sliceRows(data, trainRows, data.count);
      const { accuracy } = await objective.evaluate(tests);
      testAccuracy = Number.isFinite(accuracy) ? accuracy : null;
      // Counts of rows, rounded, since a share of them is not exact.
      const flips = Math.round(Math.abs(accuracy - run.testAccuracy) * tests.count);
      if (!(flips <= 1))
        misjudged = `testAccuracy is ${show(accuracy)}; ${run.testAccuracy} was expected, ± 1/${tests.count}`;
    } finally {
      await pipeline.close();
      trainee.destroy();
    }
  });
  if (error !== undefined) return { id: run.id, maxAbs: null, maxRel: null, ok: false, error, testAccuracy: null };
  const found = losses.verdict();
  const why = found.error ?? misjudged;
  return { id: run.id, ...found, ok: why === undefined, ...(why === undefined ? {} : { error: why }), testAccuracy };
}

function larger(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

/** Collects numbers and their expected values, and reports how far apart they are. */
function compare({ rtol, atol }: Tolerance) {
  let [maxAbs, maxRel, furthest] = [0, 0, 0];
  let error: string | undefined;
  let allFinite = true;
  return {
    add(ours: number, expected: number, where: () => string): void {
      const off = Math.abs(ours - expected);
      const allowed = atol + rtol * Math.abs(expected);
      if (!Number.isFinite(off)) {
        // JSON has no infinity; a sentence reports such numbers.
        if (allFinite) error = `${where()} is ${ours}; ${expected} was expected`;
        allFinite = false;
        return;
      }
      maxAbs = Math.max(maxAbs, off);
      if (expected !== 0) maxRel = Math.max(maxRel, off / Math.abs(expected));
      if (!allFinite || off - allowed <= furthest) return;
      furthest = off - allowed;
      error = `${where()} is ${ours}; ${expected} was expected, ± ${allowed.toExponential(1)}`;
    },
    verdict: (): Omit<CaseResult, "id" | "ok"> => ({
      maxAbs: allFinite ? maxAbs : null,
      maxRel: allFinite ? maxRel : null,
      ...(error === undefined ? {} : { error }),
    }),
  };
}

/** The rows of a case as a data set. */
function dataOf(model: Model, { id, batch, x, y, weights }: GradientCase): Dataset {
  const examples = {
    name: id,
    count: batch,
    features: model.features,
    inputs: Float32Array.from(x),
    scale: 1,
    ...(weights === undefined ? {} : { weights: Float32Array.from(weights) }),
  };
  return takesLabels(model)
    ? { ...examples, classes: model.outputs, labels: Uint32Array.from(y) }
    : { ...examples, outputs: model.outputs, targets: Float32Array.from(y) };
}

function takesLabels({ criterion }: Model): boolean {
  return criterion.name === "softmaxCrossEntropy";
}

/**
 * A recorded model as a config of this library; the record keeps the options of a loss beside it. Whether the model exists
 * shows when its case runs.
 */
export function readModel(where: string, value: unknown): ModelConfig {
  const { labelSmoothing, delta, ...model } = record(where, value);
  const options = {
    ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
    ...(delta === undefined ? {} : { delta }),
  };
  if (Object.keys(options).length === 0) return model as unknown as ModelConfig;
  const loss = typeof model.loss === "object" && model.loss !== null ? model.loss : { type: model.loss };
  return { ...model, loss: { ...loss, ...options } } as unknown as ModelConfig;
}

/** The model, if this library has it. */
function knownModel(config: ModelConfig): Model | undefined {
  try {
    return createModel(config);
  } catch (error) {
    if (error instanceof OptionError) return undefined;
    throw error;
  }
}

function readParams(
  where: string,
  field: string,
  fields: Recorded,
): { readonly model: ModelConfig; readonly initial: Values } {
  const config = readModel(`${where}.model`, fields.model);
  const initial = values(`${where}.${field}`, fields[field]);
  const model = knownModel(config);
  if (model) checkTensors(`${where}.${field}`, model, initial);
  return { model: config, initial };
}

/** Checks everything in a case whose length follows from its model. */
function checkCase(
  where: string,
  model: Model,
  { batch, x, y, weights, params, gradients }: Omit<GradientCase, "id">,
): void {
  const isLabelled = takesLabels(model);
  const check = (field: string, { length }: readonly number[], width: number) => {
    if (length === batch * width) return;
    throw new DataError(`${where}.${field} has ${length} numbers; ${batch} rows of ${width} need ${batch * width}`);
  };
  check("x", x, model.features);
  check("y", y, isLabelled ? 1 : model.outputs);
  if (weights) check("weights", weights, 1);
  const bad = isLabelled
    ? y.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < model.outputs))
    : -1;
  if (bad >= 0) {
    throw new DataError(
      `${where}.y[${bad}] is ${y[bad]}; it must be a label, a whole number in [0, ${model.outputs - 1}]`,
    );
  }
  checkTensors(`${where}.params`, model, params);
  checkTensors(`${where}.gradients`, model, gradients);
}

/** Checks that each tensor has its length, and that there are no others. */
function checkTensors(where: string, model: Model, given: Values): void {
  const tensors = recordedTensors(model.program.tensors(), given, where);
  const other = Object.keys(given).find((name) => !tensors.some((tensor) => tensor.name === name));
  if (other !== undefined) throw new DataError(`${where}["${other}"] is not one of the model's tensors`);
}

function share(where: string, value: unknown): number {
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw refusal(where, value, "a share in [0, 1]", DataError);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
