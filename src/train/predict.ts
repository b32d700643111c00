// Predictions of a trained model on either engine: from its parameters and rows to a class or numbers for each row.

import { OptionError, show, showGiven } from "../base/errors.ts";
import { isOptions, readMade, readNumber } from "../base/options.ts";
import { readFields } from "../base/words.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { type Rows, readClasses, readRows, rowsOf } from "../objectives/data/arrays.ts";
import { type Columns, readSavedColumns, widthOf } from "../objectives/data/columns.ts";
import { checkDataset, type Dataset, readDataset } from "../objectives/data/dataset.ts";
import type { ClassesOption } from "../objectives/data/labels.ts";
import { inUnits, standardizeInputs } from "../objectives/data/standardize.ts";
import { type Model, readMadeModel } from "../objectives/model.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { type InputRows, outputsOnCpu } from "../objectives/predict_cpu.ts";
import { outputsOnGpu } from "../objectives/predict_gpu.ts";
import { interpret, lossOf, type Prediction } from "../objectives/predictions.ts";
import type { TensorValues } from "../optimizer/optimizer.ts";
import { sgd } from "../rules/sgd.ts";
import { readEngine } from "./arguments.ts";
import type { Engine } from "./engine.ts";
import { openEngine } from "./job.ts";

/** Options of {@link predict}. */
export interface PredictOptions {
  /** The engine; default WebGPU if a device is available, else the CPU reference. */
  readonly engine?: Engine | undefined;
  /**
   * How many classes there are, or their names in order; default those of a data set with labels, else numbers. With
   * sigmoidBinaryCrossEntropy predictions are classes only if these are known.
   */
  readonly classes?: ClassesOption | undefined;
  /** Factor of each input, as in training (1/255 for pixels), > 0; default a data set's own, else 1. */
  readonly scale?: number | undefined;
  /**
   * The columns of the data set that the model learned from: if it was standardised, so are the inputs, and values are in the
   * table's units. For a data set, which is already standardised, the default is its own.
   */
  readonly columns?: Columns | undefined;
}

/**
 * The predictions of a trained model for each row, in order: `await predict(run.config.model, run.params, [[5.1, 3.5]])`. Nothing
 * is dropped. There may be any number of rows; they are computed in batches.
 *
 * @param model A model's config, its JSON, or the result of `createModel`.
 * @param params Its parameters by name, as `train` returns them in `params`.
 * @param inputs The numbers of each row, nested or flat, as the model was trained on them; or a data set, whose answers are
 * ignored.
 * @returns With softmaxCrossEntropy a class and the probabilities of all; with sigmoidBinaryCrossEntropy the same where the
 * classes are known, else each output's probability as `values`; for every other model `values`.
 * @throws OptionError for anything but a model, parameters that are not the model's or not finite, rows of the wrong width,
 * unknown options, and more names of classes than the model distinguishes; DataError for inputs, and a classifier's outputs, that
 * are not finite; DeviceError where the device cannot hold the model or is lost.
 */
export async function predict(
  model: ModelConfig | Model,
  params: TensorValues,
  inputs: Dataset | Rows,
  options: PredictOptions = {},
): Promise<Prediction[]> {
  const made =
    isOptions(model) && "program" in model ? readMadeModel(model as Model) : createModel(model as ModelConfig);
  const tensors = readParams(made, params);
  const given = readFields("options", options, ["engine", "classes", "scale", "columns"]) as PredictOptions;
  const saved = given.columns === undefined ? undefined : readSavedColumns("columns", given.columns);
  const width = saved?.inputs.reduce((sum, column) => sum + widthOf(column), 0);
  if (width !== undefined && width !== made.features) {
    throw new OptionError(`columns make ${width} inputs; ${made.inputSide}`);
  }
  const plain = readInputs(made, inputs, given.scale);
  const rows = saved && !isDataset(inputs) ? { ...plain, inputs: standardizeInputs(saved, plain.inputs) } : plain;
  const targets = (saved ?? (isDataset(inputs) ? inputs.columns : undefined))?.targets ?? [];
  const classes = readClasses("classes", given.classes) ?? classesOf(inputs);
  const most = made.outputs === 1 && lossOf(made)?.type === "sigmoidBinaryCrossEntropy" ? 2 : made.outputs;
  if (given.classes !== undefined && typeof classes === "object" && classes.length > most) {
    throw new OptionError(
      `classes has ${classes.length} names; the outputs of ${made.program.title} distinguish ${most}`,
    );
  }
  if (given.engine !== undefined) readEngine(given.engine);
  if (rows.count === 0) return [];
  const { engine, close } = await openEngine(given.engine);
  try {
    const predictions = interpret(made, await outputsOf(engine, made, tensors, rows), classes);
    if (!targets.some(({ deviation }) => deviation !== undefined)) return predictions;
    return predictions.map((each) =>
      each.values ? { values: each.values.map((value, i) => inUnits(value, targets[i] ?? {})) } : each,
    );
  } finally {
    close();
  }
}

/** A tensor of the model with its values. */
interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

async function outputsOf(
  engine: Engine,
  model: Model,
  tensors: readonly Parameter[],
  rows: InputRows,
): Promise<Float32Array | Float64Array> {
  if (engine.backend === "cpu") {
    const values = new Map(tensors.map(({ name, data }) => [name, data]));
    return outputsOnCpu(model, (name) => values.get(name)!, rows);
  }
  // An optimizer holds the parameters on the device; this one makes no step.
  const optimizer = await engine.optimizer(tensors, { rule: sgd, lr: 0 });
  try {
    return await outputsOnGpu(optimizer as GpuOptimizer, model, rows);
  } finally {
    optimizer.destroy();
  }
}

/** The tensors of a model with these values. */
function readParams({ program }: Model, params: TensorValues): readonly Parameter[] {
  readMade("params", params, "an object of arrays by tensor name, as train() returns", {});
  const tensors = program.tensors();
  const names = new Set(tensors.map(({ name }) => name));
  const other = Object.keys(params).find((name) => !names.has(name));
  if (other !== undefined) {
    throw new OptionError(`params has ${show(other)}; the tensors of ${program.title} are ${[...names].join(", ")}`);
  }
  return tensors.map(({ name, shape }) => {
    const values: unknown = params[name];
    if (!Array.isArray(values) && !(ArrayBuffer.isView(values) && "length" in values)) {
      const found = showGiven(values);
      throw new OptionError(`params["${name}"] is ${found}; it must be an array of numbers`);
    }
    const data = values as ArrayLike<unknown>;
    const length = shape.reduce((size, side) => size * side, 1);
    if (data.length !== length) {
      throw new OptionError(
        `params["${name}"] has ${data.length} numbers; the tensor of ${program.title} has ${length}`,
      );
    }
    for (let i = 0; i < length; i++) {
      if (typeof data[i] === "number" && Number.isFinite(data[i])) continue;
      throw new OptionError(`params["${name}"][${i}] is ${show(data[i])}; parameters must be finite numbers`);
    }
    return { name, shape, data: Float32Array.from(data as ArrayLike<number>) };
  });
}

function isDataset(inputs: Dataset | Rows): inputs is Dataset {
  return isOptions(inputs) && "features" in inputs;
}

function classesOf(inputs: Dataset | Rows): ClassesOption | undefined {
  return isDataset(inputs) && inputs.labels ? (inputs.classNames ?? inputs.classes) : undefined;
}

function readInputs({ features, inputSide }: Model, inputs: Dataset | Rows, scale: number | undefined): InputRows {
  if (scale !== undefined) readNumber("scale", scale, { above: 0 });
  if (isDataset(inputs)) {
    checkDataset(readDataset("inputs", inputs));
    if (inputs.features !== features) {
      throw new OptionError(`${inputSide}; the rows of ${inputs.name} have ${inputs.features} numbers`);
    }
    return { ...inputs, scale: scale ?? inputs.scale };
  }
  const given = readRows("inputs", inputs);
  const values = given.length === 0 ? new Float32Array() : rowsOf("inputs", given, features);
  return { count: values.length / features, features, inputs: values, scale: scale ?? 1 };
}
