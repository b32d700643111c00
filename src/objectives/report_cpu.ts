// What objectives on the CPU have in common: the report of a step, and the sums of an evaluation, which let others have a turn
// in between.
import type { CpuOptimizer } from "../cpu/optimizer.ts";
import type { Dataset } from "../data/dataset.ts";
import { firstAndEach, reportOf, rowsInOrder, type StepReport } from "./objective.ts";
import { breathe } from "./turns.ts";

/** Updates by the gradients that were just made, before anything is awaited, and tells of it. */
export async function stepOnCpu(optimizer: CpuOptimizer, losses: readonly number[]): Promise<StepReport> {
  // The next step may be asked for while this report is on its way.
  optimizer.step();
  const stats = await Promise.all(losses.map((_, replica) => optimizer.stats(replica)));
  await breathe();
  return firstAndEach(stats.map((each, replica) => reportOf(losses[replica]!, each)));
}

/** Weighted losses and hits of a data set; of a replica that was halted meanwhile not of all of it. */
export interface EvaluationSums {
  readonly sum: number;
  readonly hits: number;
  readonly halted: boolean;
}

/** @param judge Takes the rows of a batch, and gives what to add for each replica. */
export async function sumInBatches(
  optimizer: CpuOptimizer,
  { count }: Pick<Dataset, "count">,
  batch: number,
  judge: (rows: Uint32Array) => (replica: number) => { readonly sum: number; readonly hits: number },
  onProgress: ((rows: number) => void) | undefined,
): Promise<readonly EvaluationSums[]> {
  const results = Array.from({ length: optimizer.replicas }, () => ({ sum: 0, hits: 0, halted: false }));
  let done = 0;
  for (const rows of rowsInOrder(count, batch)) {
    const of = judge(rows);
    results.forEach((result, replica) => {
      result.halted ||= optimizer.isHalted(replica);
      if (result.halted) return;
      const { sum, hits } = of(replica);
      result.sum += sum;
      result.hits += hits;
    });
    done += rows.length;
    onProgress?.(done);
    await breathe();
  }
  return results;
}
