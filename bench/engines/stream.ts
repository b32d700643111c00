// The roof: a kernel that moves an update's bytes with one addition per element, in the shape that is fastest here.
import wgsl from "../../shaders/bench/stream.wgsl?raw";
import { assemble } from "../../src/base/assemble.ts";
import type { CreateBuffer } from "../../src/engines/gpu/allocate.ts";
import { grid } from "../../src/engines/gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../../src/engines/gpu/kernel.ts";
import { benchDevice, passRunner, submitPass } from "../device.ts";
import { quantile } from "../suite.ts";
import { slotsOf, streamBytesOf, type UpdateWork, upload } from "../update.ts";
import { allocateKept, keeping } from "./keeping.ts";

/** The shape of the kernel: lanes per workgroup, and vec4s per lane. */
interface Shape {
  readonly workgroupSize: number;
  readonly each: number;
}

/** From one vec4 per lane to 4,096 elements per workgroup and more. */
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

const best = new WeakMap<GPUDevice, Map<string, Promise<Shape>>>();

/**
 * The fastest shape on a device for this many elements and slots, measured once for each: the best one for a million need not be
 * the best for a hundred million.
 */
function shapeOf(device: GPUDevice, n: number, slots: number, buffers: Buffers): Promise<Shape> {
  const known = best.get(device) ?? new Map<string, Promise<Shape>>();
  best.set(device, known);
  const key = `${n} ${slots}`;
  const found = known.get(key) ?? fastest(device, n, slots, buffers);
  known.set(key, found);
  // A failure is tried again.
  found.catch(() => known.delete(key));
  return found;
}

/** Each shape is tried in rounds of steps that take about this many ms together; a slower step, once. */
const trial = { rounds: 3, ms: 10, slowMs: 200 } as const;

async function fastest(device: GPUDevice, n: number, slots: number, buffers: Buffers): Promise<Shape> {
  const entries = await Promise.all(
    shapes.map(async (shape) => {
      const dispatch = await dispatchOf(device, shape, buffers, n, slots);
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
  const first = entries[0]!.dispatch;
  await msOf(first, 1);
  const once = await msOf(first, 1);
  // The first step of each warms up; next to steps as slow as these it does not matter.
  if (once <= trial.slowMs) for (const { dispatch } of entries) await msOf(dispatch, 1);
  const steps = Math.max(1, Math.min(100, Math.round(trial.ms / once)));
  for (let round = 0; round < (once > trial.slowMs ? 1 : trial.rounds); round++) {
    for (const { dispatch, times } of entries) times.push(await msOf(dispatch, steps));
  }
  return entries.reduce((a, b) => (quantile(b.times, 0.5) < quantile(a.times, 0.5) ? b : a)).shape;
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
  const slots = slotsOf(work);
  const made = await allocateKept(keep, device, `a stream of ${work.n} parameters`, (create) =>
    createBuffers(create, work.n, slots),
  );
  // Pages never written to may all be the same one, which would be read from a cache.
  let offset = 0;
  for (const [t, { length }] of work.tensors.entries()) {
    upload(work, "gradients", t, { buffer: made.gradients, offset }, device);
    offset += 4 * length;
  }
  const shape = await shapeOf(device, work.n, slots, made);
  const dispatch = await dispatchOf(device, shape, made, work.n, slots);
  const encode = (pass: GPUComputePassEncoder) => encodeDispatches(pass, [dispatch]);
  return {
    ...passRunner(device, encode),
    note: `workgroups of ${shape.workgroupSize}, ${shape.each} vec4s a lane, the fastest shape tried at this size`,
    bytes: streamBytesOf(work),
    encode,
  };
});
