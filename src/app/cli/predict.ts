// `fallline predict`: applies the model in a run's folder to the rows of a table, and prints the table with the predictions.
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { Command } from "commander";
import { DataError, FalllineError, listed, OptionError, refusal, show } from "../../base/errors.ts";
import { isOptions } from "../../base/options.ts";
import { decodeSafetensors } from "../../base/safetensors.ts";
import { rmsePhrase } from "../../lab/phrases.ts";
import { delimiterOf, type InputTable, readInputTable } from "../../objectives/data/csv.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import { parseIdx } from "../../objectives/data/idx.ts";
import { isUnknown, numberOf } from "../../objectives/data/labels.ts";
import { createModel, type ModelConfig } from "../../objectives/models/index.ts";
import type { Prediction } from "../../objectives/predictions.ts";
import type { TensorValues } from "../../optimizer/optimizer.ts";
import { isCsv } from "../../train/data.ts";
import { predict } from "../../train/predict.ts";
import { type Score, scoreClasses, scoreValues, targetNames } from "../../train/score.ts";
import { float32Digits, predictedTable } from "../predicted_table.ts";
import { type RunDataset, readRunDataset } from "../run_dataset.ts";
import { loadFolder, readDataFile } from "./data.ts";
import { type Backend, backendOption, engineOrReference } from "./engine.ts";
import { isFolder, readBytes, readJson, readText, writeWhole } from "./files.ts";
import { digest } from "./run_id.ts";

interface PredictOptions {
  readonly backend?: Backend;
  readonly json?: boolean;
  readonly out?: string;
}

export function predictCommand(): Command {
  return new Command("predict")
    .description("predict each row of a table with a trained model: a class with probabilities, or numbers")
    .argument("<run>", "the folder of a fallline train run, with run.json and model.safetensors")
    .argument(
      "<file>",
      "a .csv or .tsv file with the model's input columns (others are kept), a fallline-dataset/1 .json file, an IDX file of images, or a folder of IDX files, whose test rows are used",
    )
    .addOption(backendOption())
    .option("--out <file>", "write to this file instead of stdout")
    .option("--json", 'print {"predictions":[…]}, one per row, in order, with "score" if the file has the answers')
    .addHelpText("after", "\nExit status: 0 all rows predicted, 1 failed, 2 the command line is invalid.")
    .action(predictTable);
}

async function predictTable(folder: string, path: string, { backend, json, out }: PredictOptions): Promise<void> {
  const { model, params, dataset } = await readTrained(folder);
  const { columns, scale, classNames, classes } = dataset;
  const { table, inputs, delimiter } = await readRows(path, dataset);
  const engine = await engineOrReference(backend, (line) => console.error(line));
  const predictions = await predict(model, params, inputs, {
    engine,
    classes: classNames ?? classes,
    ...(isDataset(inputs) ? {} : { scale, columns }),
  });
  const score = scoreOf(predictions, table, inputs, dataset);
  const classList = classNames ? { classes: classNames } : {};
  const text = json
    ? `${JSON.stringify({ ...classList, ...(score ? { score } : {}), predictions: predictions.map(rounded) })}\n`
    : predictedTable(table, predictions, dataset, delimiter).text;
  const strange = strangeClasses(table, dataset);
  if (strange.length > 0) {
    console.error(
      `note: ${listed(strange.map(show))} ${strange.length === 1 ? "is no class" : "are no classes"} of the run; rows with such an answer count as wrong`,
    );
  }
  if (out === undefined) process.stdout.write(text);
  else {
    writeWhole(out, text);
    console.error(`wrote ${out}`);
  }
  const { weight } = table.answers;
  const by = weight === undefined ? "" : `, weighted by ${table.names?.[weight] ?? `column ${weight}`}`;
  if (score && !json) console.error(`${scorePhrase(score)}${by}`);
}

/** The answers in a table that name none of the model's classes: of another table, or spelt otherwise. */
function strangeClasses(
  { rows, answers: { label } }: ToPredict["table"],
  { classNames, classes = 0 }: RunDataset,
): readonly string[] {
  if (label === undefined) return [];
  const known = new Set<string | number>(classNames ?? Array.from({ length: classes }, (_, each) => each));
  const cells = new Set(rows.map((row) => row[label]!));
  return [...cells].filter((cell) => !isUnknown(cell) && !known.has(classNames ? cell : numberOf(cell)));
}

/** The score of the predictions, if the file has the answers too. */
function scoreOf(
  predictions: readonly Prediction[],
  { rows, answers }: ToPredict["table"],
  inputs: ToPredict["inputs"],
  { columns, classNames }: RunDataset,
): Score | undefined {
  if (isDataset(inputs)) {
    const { labels } = inputs;
    return (
      labels &&
      scoreClasses(
        predictions,
        Array.from(labels, (label) => classNames?.[label] ?? label),
      )
    );
  }
  const { label, targets, weight } = answers;
  const weights = weight === undefined ? undefined : rows.map((cells) => numberOf(cells[weight]!));
  if (columns && targets) {
    return scoreValues(
      predictions,
      rows.map((cells) => targets.map((column) => numberOf(cells[column]!))),
      targetNames(columns),
      weights,
    );
  }
  if (label === undefined) return undefined;
  const known = rows.map((cells) => {
    const cell = cells[label]!;
    // A class may be called "none".
    if (isUnknown(cell) && !classNames?.includes(cell)) return undefined;
    return classNames ? cell : numberOf(cell);
  });
  return scoreClasses(predictions, known, weights);
}

/** The error of each column, or the share of correct classes, and the number of rows. */
function scorePhrase({ rows, accuracy, rmse }: Score): string {
  const on = `on ${rows.toLocaleString("en")} ${rows === 1 ? "row" : "rows"}`;
  return rmse ? `${rmsePhrase(rmse)}, ${on}` : `accuracy ${(100 * accuracy!).toFixed(2)} % ${on}`;
}

/** Rows to predict, and the table that they are in; an empty one for a file that is not a table. */
interface ToPredict {
  readonly table: Pick<InputTable, "names" | "rows" | "answers">;
  readonly inputs: Dataset | Float32Array;
  /** The character between two cells, in what is printed too. */
  readonly delimiter: string;
}

/** @throws OptionError for a file of another kind; DataError for one with malformed contents. */
async function readRows(path: string, { columns, features }: RunDataset): Promise<ToPredict> {
  const name = basename(path);
  if (isCsv(path)) {
    const text = await readText(path);
    const delimiter = delimiterOf(path, text, columns);
    const table = readInputTable(text, columns, { name, features, delimiter });
    return { table, inputs: table.inputs, delimiter };
  }
  if (columns) {
    // Other files have no columns by which to find, standardise or encode the inputs.
    throw new OptionError(`file is ${show(path)}; it must be a .csv or .tsv file, since the run learned from a table`);
  }
  const inputs = isFolder(path)
    ? (await loadFolder(path)).test
    : /\.json$/i.test(path)
      ? await readDataFile(path)
      : await readImages(path);
  const numbers = isDataset(inputs) ? inputs.count * features : inputs.length;
  const count = numbers / features;
  if (!Number.isInteger(count)) {
    throw new DataError(`${name} has ${numbers} numbers; it must have a multiple of ${features}, the model's inputs`);
  }
  const rows = Array.from({ length: count }, () => []);
  return { table: { names: [], rows, answers: { label: undefined, targets: undefined } }, inputs, delimiter: "," };
}

/** The images of an IDX file. */
async function readImages(path: string): Promise<Float32Array> {
  const bytes = await readBytes(path);
  // IDX files have no extension; the first two bytes of each are zero.
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    throw refusal("file", path, "a .csv, .tsv or .json file, an IDX file of images, or a folder of IDX files");
  }
  return Float32Array.from(parseIdx(basename(path), bytes).values);
}

const isDataset = (inputs: Dataset | Float32Array): inputs is Dataset => "count" in inputs;

interface Trained {
  readonly model: ModelConfig;
  readonly params: TensorValues;
  readonly dataset: RunDataset;
}

/**
 * Reads the results in a run's folder.
 *
 * @throws OptionError for a folder without a run; DataError if that is not one of a model.
 */
async function readTrained(folder: string): Promise<Trained> {
  const files = { run: join(folder, "run.json"), model: join(folder, "model.safetensors") };
  for (const path of Object.values(files)) {
    if (existsSync(path)) continue;
    throw new OptionError(`${folder} has no ${basename(path)}; it must be the folder of a run of fallline train`);
  }
  const run = await readJson(files.run);
  if (!isOptions(run) || !isOptions(run.config)) {
    throw new DataError(`${files.run} is not a run; it must be what fallline train wrote`);
  }
  const { config, dataset, files: digests } = run;
  if (!isOptions(config.model)) {
    const what = isOptions(config.landscape) ? "points on a landscape" : "no model";
    throw new DataError(`${files.run} is a run of ${what}; predictions need a model`);
  }
  if (dataset === undefined) {
    throw new DataError(
      `${files.run} does not say how its data were read (an earlier version wrote it); train it again`,
    );
  }
  const bytes = await readBytes(files.model);
  if (isOptions(digests) && digests["model.safetensors"] !== digest(bytes)) {
    throw new DataError(`${files.model} does not belong to the run in ${files.run}; train it again`);
  }
  try {
    const { tensors } = decodeSafetensors(bytes);
    const model = config.model as unknown as ModelConfig;
    createModel(model);
    const params = Object.fromEntries([...tensors].map(([name, { data }]) => [name, data]));
    return { model, params, dataset: readRunDataset(dataset) };
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    throw new DataError(`${folder}: ${error.message}`, { cause: error });
  }
}

function rounded({ class: name, probabilities, values }: Prediction): object {
  return values
    ? { values: values.map(float32Digits) }
    : { class: name, probabilities: probabilities!.map(float32Digits) };
}
