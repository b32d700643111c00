// `fallline curvature`: curvature measurements compared with values recorded elsewhere.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { DataError } from "../../base/errors.ts";
import { type CurvatureFile, readCurvature } from "../../lab/curvature.ts";
import type { SectionResult } from "../../lab/recorded.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import { engineLine } from "../../train/engine.ts";
import { readDataFile } from "./data.ts";
import { openEngine } from "./engine.ts";
import { conclude, type RecordedOptions, readFiles, recordedCommand } from "./recorded.ts";

/** A file with the rows that its cases use. */
interface Loaded extends CurvatureFile {
  readonly rows: Dataset | undefined;
}

export function curvatureCommand(): Command {
  return recordedCommand(
    "curvature",
    "repeat recorded curvature, line searches and derivatives (fallline-curvature/1) and compare the results",
    "data set that the cases use (default: digits.json next to each file)",
  ).action(curvature);
}

async function curvature(paths: string[], { backend, data, json }: RecordedOptions): Promise<void> {
  const files = await readFiles(paths, readCurvature, (file, path) => withRows(file, path, data));
  const engine = await openEngine(backend);
  if (!json) {
    console.log(engineLine(engine));
    console.log(`${"case".padEnd(44)}${"worst".padStart(11)}`);
  }
  const results: SectionResult[] = [];
  for (const { cases, rows, unknown } of files) {
    for (const each of cases) {
      const result = await each.check(engine, rows);
      results.push(result);
      if (!json) console.log(row(result));
    }
    // Printed so that nobody takes a passing file for one that was checked completely.
    if (unknown.length > 0) console.error(`not checked: ${unknown.join(", ")}`);
  }
  const cases = results.map(({ id, ok, worst, error }) => ({ id, ok, worst, error }));
  conclude(engine, cases, json);
}

async function withRows(file: CurvatureFile, path: string, data: string | undefined): Promise<Loaded> {
  if (!file.cases.some(({ needsData }) => needsData)) return { ...file, rows: undefined };
  const beside = join(dirname(path), "digits.json");
  if (data === undefined && !existsSync(beside)) {
    throw new DataError(
      `${path}: its cases need a data set; --data must name it, or digits.json must be next to the file`,
    );
  }
  return { ...file, rows: await readDataFile(data ?? beside) };
}

function row({ id, worst, ok, error }: SectionResult): string {
  const number = (worst === null ? "-" : worst.toExponential(2)).padStart(11);
  return `${id.padEnd(44)}${number}  ${ok ? "pass" : `FAIL  ${error}`}`;
}
