// Losses and gradients of physics-informed networks recorded by another program, checked against an engine: the section `pinns`
// of `fallline-curvature/1` (test/golden/README.md describes it).

import { everyRow } from "../objectives/data/dataset.ts";
import { pointsDataset } from "../objectives/data/points.ts";
import { createModel } from "../objectives/models/index.ts";
import type { PinnConfig } from "../objectives/models/pinn.ts";
import { sgd } from "../rules/sgd.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import {
  attempt,
  entries,
  list,
  number,
  numbers,
  readTolerance,
  record,
  recordedTensors,
  type SectionResult,
  sectionResult,
  type Tolerance,
  type Values,
  values,
} from "./recorded.ts";

/** A network with its parameters, and the loss and gradients over all points. */
export interface PinnCase {
  readonly id: string;
  readonly model: PinnConfig;
  /** The points, one after the other. */
  readonly points: readonly number[];
  readonly params: Values;
  readonly loss: number;
  readonly gradients: Values;
  /** For the loss, relative to it; for a gradient, relative to the largest of its tensor. */
  readonly tolerance: Tolerance;
}

/**
 * The cases of the section.
 *
 * @throws DataError that names the field that is missing or wrong.
 */
export function readPinns(value: unknown): readonly PinnCase[] {
  return entries("pinns", value, (fields, where) => {
    const { points, boundaryWeight, type, ...options } = record(`${where}.problem`, fields.problem);
    // Texts beside its type describe the problem.
    const told = Object.entries(options).filter(([, option]) => typeof option !== "string");
    const problem = { type, ...Object.fromEntries(told) };
    const flat = list(`${where}.problem.points`, points).flat();
    return {
      model: {
        ...record(`${where}.model`, fields.model),
        ...(boundaryWeight === undefined ? {} : { boundaryWeight }),
        type: "pinn",
        problem,
      } as unknown as PinnConfig,
      points: numbers(`${where}.problem.points`, flat),
      params: values(`${where}.params`, fields.params),
      loss: number(`${where}.loss`, fields.loss),
      gradients: values(`${where}.gradients`, fields.gradients),
      tolerance: readTolerance(`${where}.tolerance`, fields.tolerance),
    };
  });
}

/** Computes a case's loss and gradients. It passes if all are within its tolerance. */
export async function pinnCase(recorded: PinnCase, engine: Engine): Promise<SectionResult> {
  const { id, params, points, tolerance } = recorded;
  let worst = 0;
  let why: string | undefined;
  /** @param scale The value that an error is relative to. */
  const compare = (ours: number, expected: number, scale: number, where: string) => {
    const off = Math.abs(ours - expected);
    const allowed = tolerance.atol + tolerance.rtol * scale;
    if (!(off <= allowed)) why ??= `${where} is ${ours}; ${expected} was expected, ± ${allowed.toExponential(1)}`;
    worst = Math.max(worst, scale > 0 ? off / scale : off);
  };
  const error = await attempt(async () => {
    const model = createModel(recorded.model);
    const tensors = recordedTensors(model.program.tensors(), params);
    recordedTensors(tensors, recorded.gradients, "gradients");
    const data = pointsDataset({ dimensions: model.features, values: points });
    const trainee = await createTrainee(engine, model, tensors, sgd(), { data, batch: data.count });
    try {
      const [loss] = await trainee.objective.gradient(everyRow(data));
      compare(loss!, recorded.loss, Math.abs(recorded.loss), "the loss");
      const found = await trainee.optimizer.read("gradients");
      for (const { name } of tensors) {
        const expected = recorded.gradients[name]!;
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expected.forEach((value, i) => {
          compare(found[name]![i]!, value, largest, `gradients["${name}"][${i}]`);
        });
      }
    } finally {
      trainee.destroy();
    }
  });
  return sectionResult(id, worst, error, why);
}
