// Gradients left over at the end of a run: although fewer than `accumulate`, they make an update.

import type { Optimizer } from "../optimizer/optimizer.ts";
import { insideOf } from "../optimizer/shell.ts";

/**
 * Makes an update from the mean of the gradients accumulated since the last one, in every replica that is not halted.
 *
 * @param added How many there are, fewer than the optimizer's `accumulate`; for 0 it does nothing.
 */
export async function updateRest(optimizer: Optimizer, added: number): Promise<void> {
  const { accumulate } = insideOf(optimizer).plan;
  if (added === 0) return;
  const replicas = Array.from({ length: optimizer.replicas }, (_, replica) => replica);
  const sums = await Promise.all(replicas.map((replica) => optimizer.read("accumulated", { replica })));
  // The update divides by all of them.
  sums.forEach((tensors, replica) => {
    const scaled = Object.entries(tensors).map(
      ([name, values]) => [name, values.map((sum) => (sum * accumulate) / added)] as const,
    );
    optimizer.write("accumulated", Object.fromEntries(scaled), { replica });
  });
  optimizer.zeroGrad();
  for (let missing = accumulate - added; missing > 0; missing--) optimizer.step();
}
