// Gradients that are left over at the end of a run: fewer than `accumulate`, they make an update all the same.

import { accumulateOf } from "../modifiers/modifier.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";

/**
 * Makes an update of the gradients that were added up since the last one: of the mean of those there are, in every replica that
 * is not halted.
 *
 * @param added How many there are, fewer than the optimizer's `accumulate`; of none nothing is made.
 */
export async function updateRest(optimizer: Optimizer, added: number): Promise<void> {
  const accumulate = accumulateOf(optimizer.config);
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
