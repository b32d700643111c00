// Times each kernel of a step: its dispatches are recorded from a pass that is never submitted, then each runs alone so often
// that the wait for it does not matter. That works on every adapter and is not quantised, unlike timestamps in browsers; gains
// from caches filled by the previous kernel do not show.
import { listen } from "./counting.ts";
import type { ProductWork } from "./network.ts";
import { type KernelTime, quantile } from "./suite.ts";

export interface TakenDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroups: readonly (readonly [number, GPUBindGroup])[];
  readonly workgroups: readonly [number, number, number];
}

/** The least time of one measurement, in ms, and the number of measurements. */
const [least, measurements] = [25, 5];

export async function timeKernels(
  device: GPUDevice,
  encode: (pass: GPUComputePassEncoder) => void,
  products: readonly ProductWork[],
): Promise<readonly KernelTime[]> {
  const dispatches = takeDown(device, encode);
  const multiplies = dispatches.filter(({ pipeline }) => isProduct(pipeline));
  // If the kernels are cut differently from the list, no rate is claimed for any.
  const known = multiplies.length === products.length;
  const times: number[] = [];
  for (const dispatch of dispatches) times.push(await timeAlone(device, dispatch));
  const sum = times.reduce((a, b) => a + b, 0);
  return dispatches.map((dispatch, i): KernelTime => {
    const product = known ? products[multiplies.indexOf(dispatch)] : undefined;
    const ms = times[i]!;
    return {
      kernel: product ? `${dispatch.pipeline.label}: ${product.name}` : dispatch.pipeline.label,
      ms,
      share: ms / sum,
      gflops: product ? product.flops / ms / 1e6 : null,
    };
  });
}

const isProduct = ({ label }: GPUComputePipeline) => /product/.test(label);

/** The dispatches of `encode`, in order; none is run. */
export function takeDown(device: GPUDevice, encode: (pass: GPUComputePassEncoder) => void): TakenDispatch[] {
  const pass = device.createCommandEncoder().beginComputePass();
  const dispatches: TakenDispatch[] = [];
  let pipeline: GPUComputePipeline | undefined;
  const bindGroups = new Map<number, GPUBindGroup>();
  listen(pass, "setPipeline", (_, [set]) => {
    pipeline = set as GPUComputePipeline;
  });
  listen(pass, "setBindGroup", (_, [index, bindGroup]) => {
    bindGroups.set(index as number, bindGroup as GPUBindGroup);
  });
  listen(pass, "dispatchWorkgroups", (_, [x, y = 1, z = 1]) => {
    const workgroups = [x, y, z] as [number, number, number];
    dispatches.push({ pipeline: pipeline!, bindGroups: [...bindGroups], workgroups });
  });
  encode(pass);
  return dispatches;
}

/** Repeats recorded dispatches. */
export function replay(
  pass: GPUComputePassEncoder,
  { pipeline, bindGroups, workgroups }: TakenDispatch,
  times = 1,
): void {
  pass.setPipeline(pipeline);
  for (const [index, bindGroup] of bindGroups) pass.setBindGroup(index, bindGroup);
  for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...workgroups);
}

async function timeAlone(device: GPUDevice, dispatch: TakenDispatch): Promise<number> {
  const run = async (times: number) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    replay(pass, dispatch, times);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await run(1);
  const once = await run(1);
  const times = Math.min(200, Math.ceil(least / once));
  const found: number[] = [];
  for (let i = 0; i < measurements; i++) found.push((await run(times)) / times);
  return quantile(found, 0.5);
}
