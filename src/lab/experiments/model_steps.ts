// Models over rows of a data set: what trains them, and steps over different rows, as fast as the engine makes them. Steps over
// the same rows are makeSteps' (steps.ts).
import type { Dataset } from "../../objectives/data/dataset.ts";
import type { StepReport } from "../../objectives/objective.ts";
import { initialTensors, type Trainable } from "../../objectives/program.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { createTrainee, mustFit, type Trainee } from "../../train/engine.ts";
import type { Lab } from "./experiment.ts";

/** The most steps whose reports are awaited at once. */
const mostInFlight = 8;

/**
 * An optimizer of a program with data and its objective.
 *
 * @throws DeviceError, before anything is made, for more than the engine can hold.
 */
export async function dataTrainee<Start>(
  { engine }: Lab,
  program: Trainable<Start>,
  config: OptimizerConfig,
  { data, batch, start }: { readonly data: Dataset; readonly batch: number; readonly start?: Start | undefined },
): Promise<Trainee> {
  mustFit(engine, program, { config, batch, replicas: config.replicas?.length ?? 1, start });
  return createTrainee(engine, program, initialTensors(program, start), config, { data, batch });
}

/** Makes a step for each batch of rows; returns their reports. */
export async function rowSteps(
  { objective }: Trainee,
  batches: Iterable<Uint32Array>,
  progress: (made: number) => Promise<void>,
): Promise<readonly StepReport[]> {
  const reports: StepReport[] = [];
  let flying: Promise<StepReport>[] = [];
  for (const rows of batches) {
    flying.push(objective.step(rows));
    if (flying.length < mostInFlight) continue;
    reports.push(...(await Promise.all(flying)));
    flying = [];
    await progress(reports.length);
  }
  reports.push(...(await Promise.all(flying)));
  return reports;
}

/** Every row of a data set. */
export function everyRow({ count }: Pick<Dataset, "count">): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row);
}
