// Steps over different rows of a data set, as fast as the engine makes them; those over the same rows are makeSteps' (steps.ts).
import type { StepReport } from "../../objectives/objective.ts";
import type { Trainee } from "../../train/engine.ts";

/** The most steps whose reports are awaited at once. */
const mostInFlight = 8;

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
