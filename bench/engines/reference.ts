// Our CPU reference, in float64 between float32 parameters: every other engine's answer is compared with it.
import { adamw, createCpuOptimizer } from "../../src/index.ts";
import { createCpuObjective, createModel } from "../../src/training.ts";
import { answerOf, datasetOf, inOrder, tensorsOf, type Work } from "../network.ts";
import type { Answer, Runner } from "../suite.ts";

export async function train(work: Work): Promise<Runner & { answer(): Promise<Answer> }> {
  const optimizer = createCpuOptimizer(tensorsOf(work), adamw(work.hypers));
  const model = createModel({ layers: work.widths });
  const objective = createCpuObjective(optimizer, model, { data: datasetOf(work), batch: work.batch });
  const rows = Uint32Array.from(work.labels.keys());
  const step = async () => (await objective.step(rows)).loss;
  return {
    async step() {
      await step();
    },
    wait: async () => undefined,
    answer: () => answerOf(step, async () => inOrder(work, await optimizer.read())),
    destroy() {
      objective.destroy();
      optimizer.destroy();
    },
  };
}
