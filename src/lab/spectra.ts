// Eigenvalues of Hessians recorded by another program, checked against an engine: the section `spectra` of `fallline-curvature/1`
// (test/golden/README.md describes it).

import { eigenvalues } from "../objectives/curvature/extremes.ts";
import { trace } from "../objectives/curvature/trace.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { sgd } from "../rules/sgd.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import { readModel } from "./gradients.ts";
import {
  attempt,
  entries,
  firstRows,
  number,
  numbers,
  readTolerance,
  recordedTensors,
  type SectionResult,
  sectionResult,
  type Tolerance,
  type Values,
  values,
  whole,
} from "./recorded.ts";

/** A model with its parameters, and eigenvalues and traces of the Hessian of its mean loss over the first rows. */
export interface SpectrumCase {
  readonly id: string;
  readonly model: ModelConfig;
  readonly rows: number;
  readonly params: Values;
  /** From the largest down. */
  readonly largest: readonly number[];
  /** From the smallest up. */
  readonly smallest: readonly number[];
  readonly trace: number | undefined;
  readonly traceOfSquare: number | undefined;
  readonly tolerance: Tolerance;
}

/** The most parameters for which a trace is exact, from one product for each. */
const exactUpTo = 1000;

/** Standard errors by which an estimated trace may be off. */
const errors = 4;

/**
 * The cases of the section.
 *
 * @throws DataError that names the field that is missing or wrong.
 */
export function readSpectra(value: unknown): readonly SpectrumCase[] {
  return entries("spectra", value, (fields, where) => {
    const optional = (name: string) =>
      fields[name] === undefined ? undefined : number(`${where}.${name}`, fields[name]);
    return {
      model: readModel(`${where}.model`, fields.model),
      rows: whole(`${where}.rows`, fields.rows, 1),
      params: values(`${where}.params`, fields.params),
      largest: numbers(`${where}.largest`, fields.largest ?? []),
      smallest: numbers(`${where}.smallest`, fields.smallest ?? []),
      trace: optional("trace"),
      traceOfSquare: optional("traceOfSquare"),
      tolerance: readTolerance(`${where}.tolerance`, fields.tolerance),
    };
  });
}

/**
 * Computes a case's eigenvalues and traces. It passes if all are within its tolerance; traces of more than 1,000 parameters are
 * estimated, and may be off by four standard errors more.
 */
export async function spectrumCase(recorded: SpectrumCase, engine: Engine, data: Dataset): Promise<SectionResult> {
  const { id, tolerance } = recorded;
  let worst = 0;
  let why: string | undefined;
  const compare = (where: string, ours: number, expected: number, room = 0) => {
    const off = Math.abs(ours - expected);
    const allowed = tolerance.atol + tolerance.rtol * Math.abs(expected) + room;
    if (!(off <= allowed)) why ??= `${where} is ${ours}; ${expected} was expected, ± ${allowed.toExponential(1)}`;
    worst = Math.max(worst, expected === 0 ? off : off / Math.abs(expected));
  };
  const error = await attempt(async () => {
    const model = createModel(recorded.model);
    const tensors = recordedTensors(model.program.tensors(), recorded.params);
    const rows = firstRows(data, recorded.rows);
    const trainee = await createTrainee(engine, model, tensors, sgd(), { data, batch: recorded.rows });
    try {
      const { objective, optimizer } = trainee;
      const ends = { largest: recorded.largest.length, smallest: recorded.smallest.length };
      const found = await eigenvalues(objective, { rows, ...ends, tolerance: 1e-3 });
      for (const end of ["largest", "smallest"] as const) {
        recorded[end].forEach((expected, i) => {
          compare(`${end}[${i}]`, found[end][i]?.value ?? Number.NaN, expected);
        });
      }
      if (recorded.trace === undefined && recorded.traceOfSquare === undefined) return;
      const parameters = optimizer.segments.reduce((sum, { length }) => sum + length, 0);
      const products = parameters <= exactUpTo ? Math.max(parameters, 6) : 90;
      const { value, error: room, square } = await trace(objective, { rows, products });
      if (recorded.trace !== undefined) compare("trace", value, recorded.trace, errors * room);
      if (recorded.traceOfSquare !== undefined) {
        compare("traceOfSquare", square.value, recorded.traceOfSquare, errors * square.error);
      }
    } finally {
      trainee.destroy();
    }
  });
  return sectionResult(id, worst, error, why);
}
