// Rows measured by bench/torch_peer.py, added to those of a run: from another program, on a device that they name.
import { readFileSync } from "node:fs";
import { DataError, show } from "../src/base/errors.ts";
import { emptyRow, messageOf, type Result, type Row, titleOfRow } from "./suite.ts";

const format = "fallline-bench-torch/1";

/** The output of the script. */
export interface TorchRows {
  readonly device: string;
  readonly torch: string;
  readonly rows: readonly (Pick<Row, "suite" | "case" | "engine"> & {
    readonly ms: number;
    readonly quartiles: readonly [number, number];
  })[];
}

/** @throws DataError if the file is missing or is not the script's output. */
export function readTorch(path: string): TorchRows {
  const refuse = (why: string, cause?: unknown) =>
    new DataError(`--torch is ${show(path)}; ${why}, and it must be what bench/torch_peer.py prints`, { cause });
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw refuse(`it cannot be read as JSON (${messageOf(error)})`, error);
  }
  if (!isObject(found) || found.format !== format) throw refuse(`its format is not ${format}`);
  const { device, torch, rows } = found;
  if (typeof device !== "string" || typeof torch !== "string" || !Array.isArray(rows)) {
    throw refuse("it names no device, version or rows");
  }
  const wrong = rows.findIndex((row) => !isRow(row));
  if (wrong >= 0) throw refuse(`its row ${wrong + 1} has no case, engine or time`);
  return { device, torch, rows: rows as TorchRows["rows"] };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const isTime = (value: unknown) => typeof value === "number" && value > 0 && Number.isFinite(value);

function isRow(row: unknown): boolean {
  if (!isObject(row)) return false;
  const { suite, case: name, engine, ms, quartiles } = row;
  const named = [suite, name, engine].every((each) => typeof each === "string");
  return named && isTime(ms) && Array.isArray(quartiles) && quartiles.length === 2 && quartiles.every(isTime);
}

/**
 * The result with the script's rows for cases that it contains. Ratios to ours are given only on a GPU: between another device
 * and an emulated one they would mean nothing.
 */
export function withTorch(result: Result, { device, torch, rows: given }: TorchRows): Result {
  const comparable = !result.adapter.software && device !== "cpu";
  const rows = result.rows.flatMap((row): Row[] => {
    if (row.engine !== "fallline") return [row];
    const its = given.filter((each) => titleOfRow(each) === titleOfRow(row));
    const { suite, case: name, n, tensors, ms } = row;
    const ratios = its.flatMap((each) => (ms === null ? [] : [[each.engine, each.ms / ms] as const]));
    return [
      { ...row, ratioTo: { ...row.ratioTo, ...(comparable && Object.fromEntries(ratios)) } },
      ...its.map(
        (each): Row => ({
          ...emptyRow({ suite, name, n, tensors }, each.engine),
          ...{ ms: each.ms, quartiles: each.quartiles, spread: each.quartiles[1] - each.quartiles[0] },
          paramsPerSecond: (1000 * n) / each.ms,
          note: `PyTorch ${torch} on ${device}, measured by bench/torch_peer.py in a separate run`,
        }),
      ),
    ];
  });
  return { ...result, rows };
}
