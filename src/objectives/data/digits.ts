// Data sets as JSON, `fallline-dataset/1`: { format, name, shape, classes, scale, x, y }, as that of the 8 × 8 digit images.
import { DataError, show } from "../../base/errors.ts";
import { readString } from "../../base/options.ts";
import { packed } from "./arrays.ts";
import { checkDataset, type LabelledDataset } from "./dataset.ts";
import { readLabels } from "./labels.ts";

const format = "fallline-dataset/1";

/**
 * Reads a `fallline-dataset/1` file: `x` holds the numbers of all examples, row after row, which are divided by `scale`
 * (default 1), `shape` the dimensions of an example, `y` its label, a whole number in [0, `classes`).
 *
 * @param name The data set's name in errors; default the name in the file.
 * @throws DataError that names the field, and the row where one is wrong.
 */
export function digitsDataset(text: string, name?: string): LabelledDataset {
  readString("text", text);
  if (name !== undefined) readString("name", name);
  const called = name === undefined ? "" : `${name}: `;
  const fail = (sentence: string): never => {
    throw new DataError(`${called}${sentence}`);
  };
  const file = parse(text, fail);
  if (file.format !== format) fail(`format is ${show(file.format)}; it must be "${format}"`);
  const isWhole = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
  const { shape, classes, scale = 1 } = file;
  if (!Array.isArray(shape) || shape.length === 0 || !shape.every(isWhole)) {
    return fail(`shape is ${show(shape)}; it must hold whole numbers >= 1`);
  }
  if (!isWhole(classes)) return fail(`classes is ${show(classes)}; it must be a whole number >= 1`);
  if (typeof scale !== "number" || !(scale > 0 && scale < Number.POSITIVE_INFINITY)) {
    return fail(`scale is ${show(scale)}; it must be a finite number > 0`);
  }
  const x = numbers("x", file.x, fail);
  const y = numbers("y", file.y, fail);
  if (y.length === 0) fail("y is []; there must be a label for each example");
  const features = shape.reduce((product: number, size: number) => product * size, 1);
  if (x.length !== y.length * features) {
    fail(`x has ${x.length} numbers; ${y.length} rows of shape [${shape.join(", ")}] need ${y.length * features}`);
  }
  const bad = x.findIndex((value) => !Number.isFinite(Math.fround(value)));
  if (bad >= 0) {
    fail(`row ${Math.floor(bad / features)} has ${x[bad]} as input ${bad % features}; it must fit into float32`);
  }
  const data: LabelledDataset = {
    name: name ?? (typeof file.name === "string" ? file.name : "data"),
    count: y.length,
    features,
    inputs: packed(x),
    scale: 1 / scale,
    ...readLabels(y, classes, { at: (row) => `${called}the label of row ${row}`, all: `${called}y` }),
  };
  checkDataset(data);
  return data;
}

function parse(text: string, fail: (sentence: string) => never): Readonly<Record<string, unknown>> {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    return fail(`not JSON: ${(error as Error).message}`);
  }
  if (typeof file !== "object" || file === null) return fail(`format is missing; it must be "${format}"`);
  return { ...file };
}

function numbers(field: string, value: unknown, fail: (sentence: string) => never): readonly number[] {
  if (!Array.isArray(value)) return fail(`${field} is ${show(value)}; it must be an array of numbers`);
  const bad = value.findIndex((each) => typeof each !== "number");
  if (bad >= 0) fail(`${field}[${bad}] is ${show(value[bad])}; it must be a number`);
  return value;
}
