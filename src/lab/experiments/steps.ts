// Steps of an experiment: many to a submission on the GPU, where the host waits only once for each submission; one after the
// other on the CPU.
import type { GpuOptimizer } from "../../engines/gpu/optimizer.ts";
import type { Dataset } from "../../objectives/data/dataset.ts";
import type { GpuObjective } from "../../objectives/objective_gpu.ts";
import { initialTensors, type Trainable } from "../../objectives/program.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { createTrainee, mustFit, type Trainee } from "../../train/engine.ts";
import type { Lab } from "./experiment.ts";

/** The most steps of a submission: a few tenths of a second of small steps. */
const mostAtOnce = 256;
/** The most elements that a submission updates. */
const mostElements = 2 ** 27;

/**
 * An optimizer of a program and its objective, over batches of `data` if there is any.
 *
 * @throws DeviceError, before anything is made, for more than the engine can hold.
 */
export async function trainee<Start>(
  { engine }: Pick<Lab, "engine">,
  program: Trainable<Start>,
  config: OptimizerConfig,
  { start, data, batch = 1 }: { readonly start?: Start; readonly data?: Dataset; readonly batch?: number } = {},
): Promise<Trainee> {
  mustFit(engine, program, { config, batch, replicas: config.replicas?.length ?? 1, start });
  return createTrainee(engine, program, initialTensors(program, start), config, data ? { data, batch } : {});
}

/** Makes steps, with data always over the same rows; `progress` is called with the number made. */
export async function makeSteps(
  { optimizer, objective }: Trainee,
  count: number,
  progress: (made: number) => Promise<void>,
  rows?: Uint32Array,
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
  if (rows) (objective as GpuObjective).setRows(rows);
  const elements = gpu.replicas * gpu.segments.reduce((sum, { length }) => sum + length, 0);
  const atOnce = Math.max(1, Math.min(mostAtOnce, Math.floor(mostElements / elements)));
  for (let made = 0; made < count; ) {
    const some = Math.min(atOnce, count - made);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < some; i++) {
      (objective as GpuObjective).encode(pass);
      gpu.encode(pass);
    }
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    // Proves that the steps were made, and keeps the queue short.
    await gpu.stats();
    made += some;
    await progress(made);
  }
}

/** Runs `work` with a trainee, and frees it in any case. */
export async function using<T>(made: Promise<Trainee>, work: (trainee: Trainee) => Promise<T>): Promise<T> {
  const trainee = await made;
  try {
    return await work(trainee);
  } finally {
    trainee.destroy();
  }
}
