// fallline on WebGPU: a step is the objective's gradient and the optimizer's update, in one pass and one submit.
import { adamw, createGpuObjective, createModel, createOptimizer, requestDevice } from "../../src/index.ts";
import { timeKernels } from "../kernels.ts";
import { datasetOf, inOrder, productsOf, tensorsOf, type Work } from "../network.ts";
import type { Runner } from "../suite.ts";

export async function load(work: Work): Promise<Runner> {
  const device = await requestDevice();
  const optimizer = await createOptimizer(device, tensorsOf(work), adamw(work.hypers));
  const model = createModel({ layers: work.widths });
  const objective = await createGpuObjective(optimizer, model, datasetOf(work), work.batch);
  const rows = Uint32Array.from(work.labels.keys());
  const encode = (pass: GPUComputePassEncoder) => {
    objective.encode(pass);
    optimizer.encode(pass);
  };
  return {
    device,
    step() {
      // Which rows the batch has is written for every step, as in a training loop.
      objective.setRows(rows);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    wait: () => device.queue.onSubmittedWorkDone(),
    checkedStep: async () => (await objective.step(rows)).loss,
    params: async () => inOrder(work, await optimizer.read()),
    kernels: () => timeKernels(device, encode, productsOf(work)),
    destroy() {
      objective.destroy();
      optimizer.destroy();
      device.destroy();
    },
  };
}
