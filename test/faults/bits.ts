// Every bit of a checkpoint flipped, one by one: the file must be refused, with the optimizer as it was.

import { FalllineError } from "../../src/base/errors.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { type Report, Tally } from "./tally.ts";

const configs: readonly OptimizerConfig[] = [
  { rule: adamw, lr: { type: cosine, base: 0.1, steps: 50 } },
  { rule: nadam, clip: { type: "globalNorm", maxNorm: 1 }, groups: [{ params: "b", frozen: true }] },
];

export async function bits(report: Report): Promise<void> {
  const tally = new Tally("bits of checkpoints flipped one by one");
  for (const config of configs) {
    const tensors = [
      { name: "w", shape: [3, 4], data: Array.from({ length: 12 }, (_, i) => Math.sin(i + 1)) },
      { name: "b", shape: [3], data: [0.5, -0.5, 0.25] },
    ];
    const optimizer = createCpuOptimizer(tensors, config);
    optimizer.write("gradients", { w: new Array(12).fill(0.1), b: [1, 2, 3] });
    optimizer.step();
    const saved = await saveCheckpoint(optimizer);
    for (let bit = 0; bit < 8 * saved.length; bit++) {
      const damaged = Uint8Array.from(saved);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const place = `bit ${bit & 7} of byte ${bit >> 3} of ${saved.length}`;
      try {
        await loadCheckpoint(optimizer, damaged);
        tally.fault("accepted", place);
      } catch (error) {
        if (error instanceof FalllineError) tally.survived("refused");
        else tally.fault(`raw ${(error as Error).name}`, `${place}: ${(error as Error).message}`);
      }
      // Now and then, since it takes longer than the load.
      if (bit % 997 === 0 && Buffer.compare(await saveCheckpoint(optimizer), saved) !== 0)
        tally.fault("changed something", place);
    }
  }
  report(tally.row());
}
