// Runs to the edge of stability that another program recorded, held against an engine: the section `edges` of
// `fallline-curvature/1` (test/golden/README.md describes it).

import { DataError, show } from "../base/errors.ts";
import { createMeter } from "../objectives/curvature/extremes.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import { sgd } from "../rules/sgd.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import { readModel } from "./gradients.ts";
import {
  attempt,
  entryId,
  firstRows,
  list,
  number,
  numbers,
  record,
  recordedTensors,
  type SectionResult,
  sectionResult,
  type Values,
  values,
  whole,
} from "./recorded.ts";

/** Full-batch gradient descent: the loss before each update, and the largest eigenvalue of the Hessian now and then. */
export interface EdgeCase {
  readonly id: string;
  readonly model: ModelConfig;
  readonly rows: number;
  /** What is taken off every input, after it was divided by the data set's scale. */
  readonly shift: number;
  readonly lr: number;
  readonly params: Values;
  readonly losses: readonly number[];
  /** [updates made, largest eigenvalue]. */
  readonly sharpness: readonly (readonly [step: number, value: number])[];
}

/** What is allowed: relative to the loss and to the eigenvalue before the edge is crossed, and of the mean behind it. */
const allowed = { loss: 1e-3, sharpness: 0.01, mean: 0.1 } as const;

/** Share of the run, its end, over which the mean is taken. */
const lastShare = 1 / 3;

/**
 * The cases of the section.
 *
 * @throws DataError that names the field which is missing or wrong.
 */
export function readEdges(value: unknown): readonly EdgeCase[] {
  return list("edges", value).map((entry, i) => {
    const fields = record(`edges[${i}]`, entry);
    const { id, where } = entryId("edges", i, fields.id);
    const losses = numbers(`${where}.losses`, fields.losses);
    const sharpness = list(`${where}.sharpness`, fields.sharpness ?? []).map((pair, j) => {
      const name = `${where}.sharpness[${j}]`;
      const [step, largest] = list(name, pair);
      return [whole(`${name}[0]`, step, 0), number(`${name}[1]`, largest)] as const;
    });
    const late = sharpness.find(([step]) => step >= losses.length);
    if (late) throw new DataError(`${where}.sharpness has step ${late[0]}; there are ${losses.length} losses`);
    const lr = number(`${where}.lr`, fields.lr);
    if (!(lr > 0)) throw new DataError(`${where}.lr is ${show(fields.lr)}; it must be > 0`);
    return {
      id,
      model: readModel(`${where}.model`, fields.model),
      rows: whole(`${where}.rows`, fields.rows, 1),
      shift: fields.shift === undefined ? 0 : number(`${where}.shift`, fields.shift),
      lr,
      params: values(`${where}.params`, fields.params),
      losses,
      sharpness,
    };
  });
}

/**
 * Makes a case's run. It passes where losses are within 1e-3 and eigenvalues within 1 % up to the last that was recorded before
 * they cross 2 / lr, and the mean of the eigenvalues over the last third of a run that crosses it within 10 %; in between runs are
 * chaotic. `worst` is the largest share of its allowance that any of them uses.
 */
export async function edgeCase(recorded: EdgeCase, engine: Engine, data: Dataset): Promise<SectionResult> {
  const { id, lr, losses, sharpness } = recorded;
  let worst = 0;
  let why: string | undefined;
  const compare = (where: string, ours: number, expected: number, share: number) => {
    const off = Math.abs(ours - expected) / Math.abs(expected);
    if (!(off <= share)) why ??= `${where} is ${ours}; ${expected} was expected, ± ${100 * share} %`;
    worst = Math.max(worst, off / share);
  };
  const crossing = sharpness.findIndex(([, value]) => value > 2 / lr);
  const before = crossing < 0 ? sharpness : sharpness.slice(0, crossing);
  const last = crossing < 0 ? losses.length - 1 : (before.at(-1)?.[0] ?? 0);
  const late = sharpness.filter(([step]) => step >= (1 - lastShare) * (losses.length - 1));
  const error = await attempt(async () => {
    const model = createModel(recorded.model);
    const tensors = recordedTensors(model, recorded.params);
    const rows = firstRows(data, recorded.rows);
    const inputs = Float32Array.from(data.inputs, (value) => value * data.scale - recorded.shift);
    const shifted: Dataset = { ...data, inputs, scale: 1 };
    const trainee = await createTrainee(engine, model, tensors, sgd({ lr }), { data: shifted, batch: recorded.rows });
    try {
      const meter = await createMeter(trainee.objective, { rows, tolerance: 2e-3 });
      const asked = new Map(sharpness);
      const sums = { ours: 0, expected: 0 };
      let running: Promise<void>[] = [];
      // What is not compared need not be computed.
      const end = crossing < 0 ? last : Math.max(last, late.at(-1)?.[0] ?? 0);
      for (let step = 0; step <= end; step++) {
        const expected = asked.get(step);
        if (expected !== undefined) {
          await Promise.all(running);
          running = [];
          const isLate = crossing >= 0 && late.some(([each]) => each === step);
          if (step <= last || isLate) {
            const { value } = await meter.measure();
            if (step <= last) compare(`the sharpness at step ${step}`, value, expected, allowed.sharpness);
            if (isLate) {
              sums.ours += value;
              sums.expected += expected;
            }
          }
        }
        const report = trainee.objective.step(rows);
        running.push(
          report.then(({ loss }) => {
            if (step <= last) compare(`losses[${step}]`, loss, losses[step]!, allowed.loss);
          }),
        );
      }
      await Promise.all(running);
      const { length } = late;
      if (crossing >= 0 && length > 0) {
        const [ours, expected] = [sums.ours, sums.expected].map((sum) => (lr * sum) / length);
        compare("the mean of sharpness · lr over the last third", ours!, expected!, allowed.mean);
      }
    } finally {
      trainee.destroy();
    }
  });
  return sectionResult(id, worst, error, why);
}
