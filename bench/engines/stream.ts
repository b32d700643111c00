// The roof: a kernel that moves an update's bytes with one addition for each element, in whatever shape is fastest here.
import wgsl from "../../shaders/bench/stream.wgsl?raw";
import { assemble } from "../../src/base/assemble.ts";
import { allocate, type CreateBuffer } from "../../src/engines/gpu/allocate.ts";
import { grid } from "../../src/engines/gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../../src/engines/gpu/kernel.ts";
import { benchDevice, gpuTimeOf, submitPass } from "../device.ts";
import { quantile } from "../suite.ts";
import { slotsOf, streamBytesOf, type UpdateWork, upload } from "../update.ts";
import { keeping } from "./keeping.ts";

/** How the kernel is cut: lanes of a workgroup, and vec4s that each of them takes. */
interface Shape {
  readonly workgroupSize: number;
  readonly each: number;
}

/** From one vec4 a lane to 4,096 elements a workgroup and more. */
const shapes: readonly Shape[] = [
  { workgroupSize: 16, each: 16 },
  { workgroupSize: 16, each: 64 },
  { workgroupSize: 32, each: 32 },
  { workgroupSize: 64, each: 1 },
  { workgroupSize: 64, each: 4 },
  { workgroupSize: 64, each: 64 },
  { workgroupSize: 256, each: 1 },
  { workgroupSize: 256, each: 16 },
];

const source = assemble("stream", [{ name: "shaders/bench/stream.wgsl", text: wgsl }]);

const best = new WeakMap<GPUDevice, Promise<Shape>>();

/** The fastest shape on a device, measured once for each. */
function shapeOf(device: GPUDevice): Promise<Shape> {
  const found = best.get(device) ?? fastest(device);
  best.set(device, found);
  // What failed is tried again.
  found.catch(() => best.delete(device));
  return found;
}

/** What is tried: elements with two slots, in rounds of steps that take about so many ms together. */
const trial = { n: 2 ** 20, slots: 2, rounds: 3, ms: 10 } as const;

async function fastest(device: GPUDevice): Promise<Shape> {
  const { made, buffers } = await allocate(device, "a stream", (create) => createBuffers(create, trial.n, trial.slots));
  try {
    const entries = await Promise.all(
      shapes.map(async (shape) => {
        const dispatch = await dispatchOf(device, shape, made, trial.n, trial.slots);
        return { shape, dispatch, times: [] as number[] };
      }),
    );
    const msOf = async (dispatch: Dispatch, steps: number) => {
      const start = performance.now();
      submitPass(device, (pass) => {
        for (let i = 0; i < steps; i++) encodeDispatches(pass, [dispatch]);
      });
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - start) / steps;
    };
    // The first step of each warms up.
    for (const { dispatch } of entries) await msOf(dispatch, 1);
    const steps = Math.max(1, Math.min(100, Math.round(trial.ms / (await msOf(entries[0]!.dispatch, 1)))));
    for (let round = 0; round < trial.rounds; round++) {
      for (const { dispatch, times } of entries) times.push(await msOf(dispatch, steps));
    }
    return entries.reduce((a, b) => (quantile(b.times, 0.5) < quantile(a.times, 0.5) ? b : a)).shape;
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

interface Buffers {
  readonly params: GPUBuffer;
  readonly gradients: GPUBuffer;
  readonly state: GPUBuffer;
}

const vectors = (n: number) => Math.ceil(n / 4);

function createBuffers(create: CreateBuffer, n: number, slots: number): Buffers {
  const bytes = 16 * vectors(n);
  return {
    params: create("params", bytes),
    gradients: create("gradients", bytes),
    state: create("state", slots * bytes),
  };
}

async function dispatchOf(
  device: GPUDevice,
  { workgroupSize, each }: Shape,
  { params, gradients, state }: Buffers,
  n: number,
  slots: number,
): Promise<Dispatch> {
  const constants = { workgroup_size: workgroupSize, each, slots };
  const kernel = await compileKernel(device, source, ["write", "read", "write"], constants);
  return {
    pipeline: kernel.pipeline,
    bindGroup: kernel.bind([params, gradients, state]),
    workgroups: grid(device, Math.ceil(vectors(n) / (workgroupSize * each))),
  };
}

export const update = keeping(async (keep, work: UpdateWork) => {
  const device = await benchDevice();
  const shape = await shapeOf(device);
  const slots = slotsOf(work);
  const { made, buffers } = await allocate(device, `a stream of ${work.n} parameters`, (create) =>
    createBuffers(create, work.n, slots),
  );
  for (const buffer of buffers) keep(buffer);
  // Pages that nobody ever wrote to may all be one, which would be read from a cache.
  let offset = 0;
  for (const [t, { length }] of work.tensors.entries()) {
    upload(work, "gradients", t, { buffer: made.gradients, offset }, device);
    offset += 4 * length;
  }
  const dispatch = await dispatchOf(device, shape, made, work.n, slots);
  const encode = (pass: GPUComputePassEncoder) => encodeDispatches(pass, [dispatch]);
  return {
    device,
    note: `workgroups of ${shape.workgroupSize}, ${shape.each} vec4s a lane, the fastest shape tried`,
    bytes: streamBytesOf(work),
    step: () => submitPass(device, encode),
    wait: () => device.queue.onSubmittedWorkDone(),
    ...gpuTimeOf(device, encode),
  };
});
