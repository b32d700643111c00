// How two runs differ: field by field in their configs, step by step in their losses, number by number in their parameters.
import { OptionError, refusal, show } from "../base/errors.ts";
import { isDeep, readArray, readMade, readString } from "../base/options.ts";
import type { TensorValues } from "../optimizer/optimizer.ts";

/** The outcome of a run, as in run.json. */
export interface RunOutcome {
  /** The loss of each step; NaN if it was not finite. */
  readonly losses: readonly number[];
  /** Absent in a run.json of an older version. */
  readonly testLoss?: number | null | undefined;
  /** The share of the test set that is classified correctly; null if it was not tested. */
  readonly testAccuracy: number | null;
  /** The root mean square error against an exact solution; null if none is known. Absent in a run.json of an older version. */
  readonly testError?: number | null | undefined;
  /** Other things that may affect the losses: backend, adapter, versions. */
  readonly environment: Readonly<Record<string, unknown>>;
}

/** A field that differs; undefined for a run without the field. */
export interface FieldDifference {
  /** Its path, such as `optimizer.lr.schedules[1].base`. */
  readonly path: string;
  /** The field's value in the first run. */
  readonly a: unknown;
  /** The field's value in the second run. */
  readonly b: unknown;
}

/** A loss of one step, counted from 1; both are null if no loss is finite. */
export interface LossPoint {
  /** The step, from 1; null if no loss is finite. */
  readonly step: number | null;
  /** Its loss; null if none is finite. */
  readonly loss: number | null;
}

/** How two runs' losses differ. */
export interface CurveDifference {
  /** Steps of each run. */
  readonly steps: readonly [number, number];
  /** Whether the losses of all common steps are the same, to the bit. */
  readonly identical: boolean;
  /** The first step, counted from 1, whose losses differ; null if none does. */
  readonly firstDifference: number | null;
  /** The largest difference of two finite losses of one step; null if there is none. */
  readonly largestDifference: { readonly step: number; readonly difference: number } | null;
  /** The last loss of each; null if it is not finite. */
  readonly final: readonly [number | null, number | null];
  /** The lowest loss of each. */
  readonly minimum: readonly [LossPoint, LossPoint];
  /** The test loss of either run; null if it was not tested. */
  readonly testLoss: readonly [number | null, number | null];
  /** The test accuracy of either run; null if it was not tested. */
  readonly testAccuracy: readonly [number | null, number | null];
  /** The error of either run against an exact solution; null if it was not tested or none is known. */
  readonly testError: readonly [number | null, number | null];
}

/**
 * The fields in which two values (run configs, say) differ; objects of different `type` differ as a whole. In complete configs an
 * omitted field equals its default.
 *
 * @throws OptionError for values that are nested more than 1,000 deep or contain themselves.
 */
export function diffFields(a: unknown, b: unknown, path = ""): FieldDifference[] {
  readString("path", path);
  for (const [name, value] of Object.entries({ a, b })) {
    if (!isDeep(value, deepestFields)) continue;
    throw new OptionError(`${name} is ${show(value)}, nested more than ${deepestFields} deep; it must be less deep`);
  }
  return differences(a, b, path);
}

/** Schedules may be nested 100 deep, each in an array and an object; no config is deeper. */
const deepestFields = 1000;

/** A value as in JSON: the name of a rule, a config with its modifiers under their keys. */
function asJson(value: unknown): unknown {
  const { toJSON } = Object(value) as { readonly toJSON?: unknown };
  return typeof toJSON === "function" ? toJSON.call(value) : value;
}

function differences(given: unknown, other: unknown, path: string): FieldDifference[] {
  const [a, b] = [asJson(given), asJson(other)];
  if (Object.is(a, b)) return [];
  if (Array.isArray(a) && Array.isArray(b) && [...a, ...b].some(isObject)) {
    return Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
      differences(a[i], b[i], `${path}[${i}]`),
    ).flat();
  }
  if (isRecord(a) && isRecord(b) && asJson(a.type) === asJson(b.type)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].flatMap((key) => differences(a[key], b[key], path === "" ? key : `${path}.${key}`));
  }
  return JSON.stringify(a, bigintWritten) === JSON.stringify(b, bigintWritten) ? [] : [{ path, a, b }];
}

/** JSON has no bigints. */
function bigintWritten(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

/**
 * How the losses of two runs differ.
 *
 * @throws OptionError for anything but the outcome of a run.
 */
export function diffCurves(a: RunOutcome, b: RunOutcome): CurveDifference {
  checkOutcome("a", a);
  checkOutcome("b", b);
  const shared = Math.min(a.losses.length, b.losses.length);
  let first: number | null = null;
  let largest: CurveDifference["largestDifference"] = null;
  for (let i = 0; i < shared; i++) {
    const [x, y] = [a.losses[i]!, b.losses[i]!];
    if (Object.is(x, y)) continue;
    first ??= i + 1;
    const difference = Math.abs(x - y);
    if (Number.isFinite(difference) && difference > (largest?.difference ?? 0)) largest = { step: i + 1, difference };
  }
  return {
    steps: [a.losses.length, b.losses.length],
    identical: first === null,
    firstDifference: first,
    largestDifference: largest,
    final: [finite(a.losses.at(-1)), finite(b.losses.at(-1))],
    minimum: [minimum(a.losses), minimum(b.losses)],
    testLoss: [a.testLoss ?? null, b.testLoss ?? null],
    testAccuracy: [a.testAccuracy, b.testAccuracy],
    testError: [a.testError ?? null, b.testError ?? null],
  };
}

function checkOutcome(name: string, outcome: RunOutcome): void {
  readMade(name, outcome, "the outcome of a run: losses, testAccuracy and environment", { losses: "array" });
  const { losses, testLoss, testAccuracy, testError } = outcome;
  readArray(`${name}.losses`, losses, "numbers").forEach((loss, i) => {
    if (typeof loss !== "number") throw refusal(`${name}.losses[${i}]`, loss, "a number");
  });
  for (const [what, value] of Object.entries({ testLoss, testAccuracy, testError })) {
    if (value === undefined || value === null || typeof value === "number") continue;
    throw refusal(`${name}.${what}`, value, "a number or null");
  }
}

function minimum(losses: readonly number[]): LossPoint {
  let lowest: LossPoint = { step: null, loss: null };
  losses.forEach((loss, i) => {
    if (Number.isFinite(loss) && (lowest.loss === null || loss < lowest.loss)) lowest = { step: i + 1, loss };
  });
  return lowest;
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && !Array.isArray(value);
}

/** The largest difference between two sets of parameters. */
export function largestDifference(a: TensorValues, b: TensorValues): number {
  let largest = 0;
  for (const [name, values] of Object.entries(a)) {
    const others = b[name]!;
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]! - others[i]!));
  }
  return largest;
}
