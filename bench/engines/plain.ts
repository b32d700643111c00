// Plain JavaScript: the typed-array loops of plain_loops.ts, which know nothing of us.
import type { Work } from "../network.ts";
import { createPlainNetwork } from "../plain_loops.ts";
import type { Runner } from "../suite.ts";

export async function load(work: Work): Promise<Runner> {
  const network = createPlainNetwork(work);
  return {
    step() {
      network.step();
    },
    wait: async () => undefined,
    checkedStep: async () => network.step(),
    params: async () => network.layers.flatMap(({ weight, bias }) => [weight.slice(), bias.slice()]),
    destroy() {
      // Nothing outlives the arrays that the garbage collector knows of.
    },
  };
}
