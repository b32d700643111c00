// Runs to the edge of stability recorded by another program, checked against an engine: the section `edges` of
// `fallline-curvature/1` (test/golden/README.md describes it).

import { DataError, refusal } from "../base/errors.ts";
import { edge } from "../objectives/curvature/edge.ts";
import { createMeter } from "../objectives/curvature/extremes.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import { createModel, type ModelConfig } from "../objectives/models/index.ts";
import type { OptimizerConfig } from "../optimizer/config.ts";
import { readConfig } from "../optimizer/read_config.ts";
import { sgd } from "../rules/sgd.ts";
import { createTrainee, type Engine } from "../train/engine.ts";
import { readModel } from "./gradients.ts";
import {
  attempt,
  entries,
  firstRows,
  list,
  number,
  numbers,
  type Recorded,
  record,
  recordedTensors,
  type SectionResult,
  sectionResult,
  type Values,
  values,
  whole,
} from "./recorded.ts";

/**
 * Full-batch descent: the loss before each update, and at some steps the largest eigenvalue of the Hessian, preconditioned by the
 * second moment for adam and adamw.
 */
export interface EdgeCase {
  readonly id: string;
  readonly model: ModelConfig;
  readonly rows: number;
  /** Subtracted from every input, after division by the data set's scale. */
  readonly shift: number;
  readonly optimizer: OptimizerConfig;
  readonly params: Values;
  readonly losses: readonly number[];
  /** [updates made, largest eigenvalue]. */
  readonly sharpness: readonly (readonly [step: number, value: number])[];
}

/** Allowed relative errors: of loss and eigenvalue before the edge is crossed, and of the mean after it. */
const allowed = { loss: 1e-3, sharpness: 0.01, mean: 0.1 } as const;

/** The last share of the run, over which the mean is taken. */
const lastShare = 1 / 3;

/**
 * The cases of the section.
 *
 * @throws DataError that names the field that is missing or wrong.
 */
export function readEdges(value: unknown): readonly EdgeCase[] {
  return entries("edges", value, (fields, where) => {
    const losses = numbers(`${where}.losses`, fields.losses);
    const sharpness = list(`${where}.sharpness`, fields.sharpness ?? []).map((pair, j) => {
      const name = `${where}.sharpness[${j}]`;
      const [step, largest] = list(name, pair);
      return [whole(`${name}[0]`, step, 0), number(`${name}[1]`, largest)] as const;
    });
    const late = sharpness.find(([step]) => step >= losses.length);
    if (late) throw new DataError(`${where}.sharpness has step ${late[0]}; there are ${losses.length} losses`);
    return {
      model: readModel(`${where}.model`, fields.model),
      rows: whole(`${where}.rows`, fields.rows, 1),
      shift: fields.shift === undefined ? 0 : number(`${where}.shift`, fields.shift),
      optimizer: readOptimizer(where, fields),
      params: values(`${where}.params`, fields.params),
      losses,
      sharpness,
    };
  });
}

/** The config of `optimizer`; without it, of plain descent at the rate `lr`. */
function readOptimizer(where: string, { optimizer, lr }: Recorded): OptimizerConfig {
  if (optimizer !== undefined) return readConfig(record(`${where}.optimizer`, optimizer));
  const rate = number(`${where}.lr`, lr);
  if (rate > 0) return sgd({ lr: rate });
  throw refusal(`${where}.lr`, lr, "> 0", DataError);
}

/**
 * Makes a case's run. It passes if losses are within 1e-3 and eigenvalues within 1 % up to the last one recorded before they
 * cross the optimizer's edge, and, for a run that crosses it, the mean of the eigenvalues over the last third within 10 %; in
 * between, runs are chaotic. `worst` is the largest share used of any allowance.
 */
export async function edgeCase(recorded: EdgeCase, engine: Engine, data: Dataset): Promise<SectionResult> {
  const { id, losses, sharpness } = recorded;
  let worst = 0;
  let why: string | undefined;
  const compare = (where: string, ours: number, expected: number, share: number) => {
    const off = Math.abs(ours - expected) / Math.abs(expected);
    if (!(off <= share)) why ??= `${where} is ${ours}; ${expected} was expected, ± ${100 * share} %`;
    worst = Math.max(worst, off / share);
  };
  const late = sharpness.filter(([step]) => step >= (1 - lastShare) * (losses.length - 1));
  const error = await attempt(async () => {
    const model = createModel(recorded.model);
    const tensors = recordedTensors(model.program.tensors(), recorded.params);
    const rows = firstRows(data, recorded.rows);
    const inputs = Float32Array.from(data.inputs, (value) => value * data.scale - recorded.shift);
    const shifted: Dataset = { ...data, inputs, scale: 1 };
    const trainee = await createTrainee(engine, model, tensors, recorded.optimizer, {
      data: shifted,
      batch: recorded.rows,
    });
    try {
      const { optimizer } = trainee;
      const limit = edge(optimizer);
      const crossing = sharpness.findIndex(([, value]) => value > limit);
      const before = crossing < 0 ? sharpness : sharpness.slice(0, crossing);
      const last = crossing < 0 ? losses.length - 1 : (before.at(-1)?.[0] ?? 0);
      // For sgd it is the curvature of the loss itself.
      const precondition = optimizer.slots.includes("v") ? optimizer : undefined;
      const meter = await createMeter(trainee.objective, { rows, tolerance: 2e-3, precondition });
      const asked = new Map(sharpness);
      const sums = { ours: 0, expected: 0 };
      let running: Promise<void>[] = [];
      // Eigenvalues that are not compared need not be computed.
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
        const [ours, expected] = [sums.ours, sums.expected].map((sum) => sum / length / limit);
        compare("the mean of sharpness over the edge, in the last third,", ours!, expected!, allowed.mean);
      }
    } finally {
      trainee.destroy();
    }
  });
  return sectionResult(id, worst, error, why);
}
