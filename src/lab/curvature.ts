// Recorded curvature, line searches and derivatives by inputs of another program, checked against an engine:
// `fallline-curvature/1` (test/golden/README.md describes it), section by section.

import { DataError } from "../base/errors.ts";
import { edgeCase, readEdges } from "./edges.ts";
import { lbfgsCase, readLbfgsCases } from "./lbfgs.ts";
import { pinnCase, readPinns } from "./pinns.ts";
import { recordedFile, type SectionCase } from "./recorded.ts";
import { readSpectra, spectrumCase } from "./spectra.ts";

const format = "fallline-curvature/1";

/** The sections that a file may have, and how each reads its cases. */
const sections: Readonly<Record<string, (value: unknown) => readonly SectionCase[]>> = {
  spectra: (value) =>
    readSpectra(value).map((entry) => ({
      id: entry.id,
      needsData: true,
      check: (engine, data) => spectrumCase(entry, engine, data!),
    })),
  edges: (value) =>
    readEdges(value).map((entry) => ({
      id: entry.id,
      needsData: true,
      check: (engine, data) => edgeCase(entry, engine, data!),
    })),
  lbfgs: (value) =>
    readLbfgsCases(value).map((entry) => ({
      ...{ id: entry.id, needsData: entry.rows !== undefined },
      check: (engine, data) => lbfgsCase(entry, engine, data),
    })),
  pinns: (value) =>
    readPinns(value).map((entry) => ({ id: entry.id, needsData: false, check: (engine) => pinnCase(entry, engine) })),
};

/** A `fallline-curvature/1` file. */
export interface CurvatureFile {
  /** The format and its version. */
  readonly format: typeof format;
  /** The cases of all sections. */
  readonly cases: readonly SectionCase[];
  /** Fields that are lists, but not known sections. */
  readonly unknown: readonly string[];
}

/**
 * Reads a file of recorded curvature; any section may be missing.
 *
 * @throws DataError for a malformed file, with the field and its case.
 */
export function readCurvature(text: string): CurvatureFile {
  const file = recordedFile(text, [format]);
  const cases = Object.entries(sections).flatMap(([name, read]) => (file[name] === undefined ? [] : read(file[name])));
  const seen = new Set<string>();
  for (const { id } of cases) {
    if (seen.has(id)) throw new DataError(`the id "${id}" is given twice; ids must differ`);
    seen.add(id);
  }
  const unknown = Object.entries(file).filter(([name, value]) => Array.isArray(value) && !(name in sections));
  if (cases.length === 0 && unknown.length === 0) {
    throw new DataError(`there are no cases; there must be at least one of ${Object.keys(sections).join(", ")}`);
  }
  return { format, cases, unknown: unknown.map(([name]) => name) };
}
