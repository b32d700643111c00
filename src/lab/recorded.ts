// Reads files that other programs recorded: a malformed field is an error of one sentence that names it. Tolerances, and the
// errors compared with them.
import { DataError, FalllineError, refusal } from "../base/errors.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import type { Tensor } from "../optimizer/arena.ts";
import type { Engine } from "../train/engine.ts";

export type Recorded = Readonly<Record<string, unknown>>;

/** Numbers by the names of tensors. */
export type Values = Readonly<Record<string, readonly number[]>>;

/** The allowed |ours - expected|: atol + rtol·|expected|. */
export interface Tolerance {
  /** Relative to the recorded value. */
  readonly rtol: number;
  /** Absolute. */
  readonly atol: number;
}

/**
 * The fields of a recorded file in one of these formats.
 *
 * @throws DataError for invalid JSON, and for another format.
 */
export function recordedFile<T extends string>(text: string, formats: readonly T[]): Recorded & { readonly format: T } {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new DataError(`not JSON: ${(error as Error).message}`);
  }
  const fields: Recorded = typeof file === "object" && file !== null ? { ...file } : {};
  const format = formats.find((each) => each === fields.format);
  if (format === undefined) {
    const allowed = formats.map((each) => `"${each}"`).join(" or ");
    throw refusal("format", fields.format, allowed, DataError);
  }
  return { ...fields, format };
}

export function record(where: string, value: unknown): Recorded {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(where, value, "an object", DataError);
  }
  return { ...value };
}

export function list(where: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw refusal(where, value, "an array", DataError);
  return value;
}

export function values(where: string, value: unknown): Values {
  return Object.fromEntries(
    Object.entries(record(where, value)).map(([name, data]) => [name, numbers(`${where}["${name}"]`, data)]),
  );
}

export function numbers(where: string, value: unknown): readonly number[] {
  return list(where, value).map((each, i) => number(`${where}[${i}]`, each));
}

/** A number that float32 can hold: no other can be compared. */
export function number(where: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(Math.fround(value))) return value;
  throw refusal(where, value, "a finite float32", DataError);
}

export function whole(where: string, value: unknown, min: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value < 2 ** 32) return value;
  throw refusal(where, value, `a whole number >= ${min}`, DataError);
}

/**
 * The entries of a list, each read with its fields and its name in errors, which its id gives it.
 *
 * @throws DataError for anything but a list of objects with ids, and whatever `read` throws.
 */
export function entries<T extends object>(
  name: string,
  value: unknown,
  read: (fields: Recorded, where: string) => T,
): readonly (T & { readonly id: string })[] {
  return list(name, value).map((entry, i) => {
    const fields = record(`${name}[${i}]`, entry);
    const { id } = fields;
    if (typeof id !== "string") throw refusal(`${name}[${i}].id`, id, "a string", DataError);
    return { id, ...read(fields, `${name}["${id}"]`) };
  });
}

/** A missing part of a tolerance tolerates nothing. */
export function readTolerance(where: string, value: unknown): Tolerance {
  const { rtol, atol } = record(where, value);
  return { rtol: tolerated(`${where}.rtol`, rtol), atol: tolerated(`${where}.atol`, atol) };
}

function tolerated(where: string, value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !(value >= 0)) throw refusal(where, value, ">= 0", DataError);
  return value;
}

/** Why a case cannot run, in a sentence; undefined if it can. */
export async function attempt(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof FalllineError)) throw error;
    return error.message;
  }
}

/** The result of a case of a `fallline-curvature/1` file. */
export interface SectionResult {
  /** The case's name in the file. */
  readonly id: string;
  /** Whether everything is within its tolerance. */
  readonly ok: boolean;
  /** The largest error, relative to the recorded value or as its section defines; null where a number was not finite. */
  readonly worst: number | null;
  /** Why it failed. */
  readonly error?: string;
}

/** The result of a case: `error` is why it did not run, `why` what is beyond its tolerance. */
export function sectionResult(
  id: string,
  worst: number,
  error: string | undefined,
  why: string | undefined,
): SectionResult {
  const problem = error ?? why;
  return {
    id,
    ok: problem === undefined,
    worst: error === undefined && Number.isFinite(worst) ? worst : null,
    ...(problem === undefined ? {} : { error: problem }),
  };
}

/**
 * Tensors with recorded values.
 *
 * @param where The values' name in errors.
 * @throws DataError for a wrong number of values.
 */
export function recordedTensors(tensors: readonly Tensor[], recorded: Values, where = "params"): readonly Tensor[] {
  return tensors.map((tensor) => {
    const { name, shape } = tensor;
    const length = shape.reduce((product, size) => product * size, 1);
    const data = recorded[name];
    if (data?.length === length) return { ...tensor, data };
    const found = data ? `has ${data.length} numbers` : "is missing";
    throw new DataError(`${where}["${name}"] ${found}; its shape [${shape.join(", ")}] needs ${length}`);
  });
}

/** @throws DataError where a data set has fewer rows. */
export function firstRows({ name, count: there }: Dataset, count: number): Uint32Array {
  if (count > there) throw new DataError(`rows is ${count}; ${name} has ${there}`);
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/** A case of a section, with its check. */
export interface SectionCase {
  /** The case's name in the file. */
  readonly id: string;
  /** Whether it uses rows of the data set. */
  readonly needsData: boolean;
  /** Computes it anew; if it cannot run, the result says why. `data` is given if it is needed. */
  check(engine: Engine, data: Dataset | undefined): Promise<SectionResult>;
}
