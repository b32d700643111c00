// Steps of a model over rows of a data set: the same rows in every step many to a submission, other rows in each step as fast
// as the engine takes them.
import type { GpuOptimizer } from "../../engines/gpu/optimizer.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import type { StepReport } from "../../objectives/objective.ts";
import type { GpuObjective } from "../../objectives/objective_gpu.ts";
import type { Trainable } from "../../objectives/program.ts";
import { initialTensors } from "../../objectives/program.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { createTrainee, mustFit, type Trainee } from "../../train/engine.ts";
import type { Lab } from "./experiment.ts";

/** Steps of a submission at most. */
const mostAtOnce = 128;
/** Steps whose reports are waited for at once at most. */
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

/** Makes steps that all take the same rows; `progress` is called with how many are made. */
export async function sameRowSteps(
  { optimizer, objective }: Trainee,
  rows: Uint32Array,
  count: number,
  progress: (made: number) => Promise<void>,
): Promise<void> {
  if (optimizer.backend === "cpu") {
    for (let made = 0; made < count; made++) {
      await objective.gradient(rows);
      optimizer.step();
      await progress(made + 1);
    }
    return;
  }
  const gpu = optimizer as GpuOptimizer;
  (objective as GpuObjective).setRows(rows);
  for (let made = 0; made < count; ) {
    const some = Math.min(mostAtOnce, count - made);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < some; i++) {
      (objective as GpuObjective).encode(pass);
      gpu.encode(pass);
    }
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    // Proves that the steps were made, and keeps more from piling up.
    await gpu.stats();
    made += some;
    await progress(made);
  }
}

/** Makes a step for each batch of rows; gives their reports. */
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
