// fallline on WebGPU: a step is the objective's gradient and the optimizer's update, in one pass and one submission.
import { bytesOf } from "../../src/engines/gpu/allocate.ts";
import { encodeDispatches } from "../../src/engines/gpu/kernel.ts";
import { readParts } from "../../src/engines/gpu/readback.ts";
import { type Operand, productDispatch } from "../../src/engines/products/product.ts";
import { tune } from "../../src/engines/products/tuner.ts";
import {
  adamw,
  createOptimizer,
  external,
  type GpuOptimizer,
  type OptimizerConfig,
  readConfig,
  sgd,
} from "../../src/index.ts";
import { createModel, createObjective } from "../../src/training.ts";
import { benchDevice, passRunner } from "../device.ts";
import { replay, takeDown, timeKernels } from "../kernels.ts";
import { answerOfProduct, bytesOfProduct, type Matrices } from "../matrices.ts";
import { answerOf, datasetOf, inOrder, productsOf, tensorsOf, type Work } from "../network.ts";
import { type Reader, reading, type Wanted } from "../readings.ts";
import {
  type Answering,
  answerOfUpdate,
  configOf,
  isChecked,
  maxNormOf,
  readSamples,
  stepBytesOf,
  type UpdateRole,
  type UpdateWork,
  upload,
} from "../update.ts";
import { allocateKept, type Keep, keeping } from "./keeping.ts";

export const train = keeping(async (keep, work: Work) => {
  const device = await benchDevice();
  const optimizer = keep(await createOptimizer(device, tensorsOf(work), adamw(work.hypers)));
  const model = createModel({ layers: work.widths });
  const objective = keep(await createObjective(optimizer, model, { data: datasetOf(work), batch: work.batch }));
  const rows = Uint32Array.from(work.labels.keys());
  const encode = (pass: GPUComputePassEncoder) => {
    objective.encode(pass);
    optimizer.encode(pass);
  };
  const runner = passRunner(device, encode);
  return {
    ...runner,
    step() {
      // The batch's row numbers are written at every step, as in a training loop.
      objective.setRows(rows);
      runner.step();
    },
    answer: () =>
      answerOf(
        async () => (await objective.step(rows)).loss,
        async () => inOrder(work, await optimizer.read()),
      ),
    encode,
    kernels: () => timeKernels(device, encode, productsOf(work)),
  };
});

/** A product in the variant that the tuner finds fastest, or in the default one if the product is too small for it. */
export const product = keeping(async (keep, work: Matrices) => {
  const device = await benchDevice();
  const { m, n, k, transposeA, transposeB } = work;
  const shape = { m, n, k, transposeA, transposeB };
  const { products } = await tune(device, [shape]);
  const { variant, source } = products[0]!;
  const made = await allocateKept(keep, device, `a product of ${m} × ${n} × ${k}`, (create) => ({
    a: create("A", work.a.byteLength, bytesOf(work.a)),
    b: create("B", work.b.byteLength, bytesOf(work.b)),
    c: create("C", 4 * m * n),
    // No replica is ever halted, and nothing is dropped.
    control: create("control", 16),
    batch: create("batch", 16),
  }));
  const { a, b, c, control, batch } = made;
  const dispatch = await productDispatch(
    {
      ...{ device, replicas: 1, control, controlStride: 0, skipIndex: 0, stepIndex: 0, batch },
      keep,
    },
    { ...shape, epilogue: { type: "none" } },
    ...([a, b, c].map((buffer) => ({ buffer, stride: 0 })) as [Operand, Operand, Operand]),
  );
  const encode = (pass: GPUComputePassEncoder) => encodeDispatches(pass, [dispatch]);
  const runner = passRunner(device, encode);
  return {
    ...runner,
    note: `the variant ${variant} (${source === "measured" ? "tuned" : source}); n counts the elements of C`,
    bytes: bytesOfProduct(work),
    async answer() {
      runner.step();
      const [bytes] = await readParts(device, [{ buffer: c, offset: 0, bytes: 4 * m * n }]);
      return answerOfProduct(work, new Float32Array(bytes!));
    },
  };
});

/** An optimizer for the work's tensors, with values only in the roles named. */
async function createUpdate(
  keep: Keep,
  device: GPUDevice,
  work: UpdateWork,
  config: OptimizerConfig,
  roles: readonly UpdateRole[],
): Promise<GpuOptimizer> {
  const tensors = work.tensors.map(({ name, shape }) => ({ name, shape }));
  const optimizer = keep(await createOptimizer(device, tensors, config));
  for (const role of roles) {
    for (const [t, { name }] of tensors.entries()) upload(work, role, t, optimizer.binding(role, name), device);
  }
  return optimizer;
}

export const update = keeping(async (keep, work: UpdateWork, on: Promise<GPUDevice> = benchDevice()) => {
  const device = await on;
  return updating(device, work, await createUpdate(keep, device, work, configOf(work), ["params", "gradients"]));
});

/** The same on the caller's buffers, one for each tensor and role. */
export const updateOfOwnBuffers = keeping(async (keep, work: UpdateWork) => {
  const device = await benchDevice();
  const made = await allocateKept(keep, device, `${work.n} parameters`, (create) =>
    work.tensors.map(({ name, shape, length }) => {
      const [params, gradients] = [create("params", 4 * length), create("gradients", 4 * length)];
      return external({ name, shape, params: { buffer: params }, gradients: { buffer: gradients } });
    }),
  );
  for (const [
    t,
    {
      external: { params, gradients },
    },
  ] of made.entries()) {
    upload(work, "params", t, params, device);
    upload(work, "gradients", t, gradients, device);
  }
  return updating(device, work, keep(await createOptimizer(device, made, configOf(work))));
});

function updating(device: GPUDevice, work: UpdateWork, optimizer: GpuOptimizer) {
  const encode = (pass: GPUComputePassEncoder) => optimizer.encode(pass);
  const runner = passRunner(device, encode);
  const answering: Answering = {
    step: runner.step,
    ...(work.clip && { norm: async () => (await optimizer.stats()).gradientNorm }),
    params: () => readSamples(work, device, (t) => optimizer.binding("params", work.tensors[t]!.name)),
  };
  const bytes = stepBytesOf(work);
  return {
    ...runner,
    ...(!isChecked(work) && { note: "not checked: the reference of a rule with sums would take minutes" }),
    ...(bytes !== undefined && { bytes }),
    encode,
    answer: () => answerOfUpdate(answering),
  };
}

/** The part of a clipping optimizer's step before the update. */
export const norm = keeping(async (keep, work: UpdateWork) => {
  const device = await benchDevice();
  const config = readConfig({ rule: sgd, clip: { type: "globalNorm", maxNorm: maxNormOf(work) } });
  const optimizer = await createUpdate(keep, device, work, config, ["gradients"]);
  const dispatches = takeDown(device, (pass) => optimizer.encode(pass)).slice(0, -1);
  const encode = (pass: GPUComputePassEncoder) => {
    for (const dispatch of dispatches) replay(pass, dispatch);
  };
  const runner = passRunner(device, encode);
  return {
    ...runner,
    bytes: 4 * work.n,
    async answer() {
      runner.step();
      return { numbers: [(await optimizer.stats()).gradientNorm], values: [] };
    },
  };
});

/** All parameters, or the layer statistics of the last step. */
export const read = keeping(async (keep, work: UpdateWork, wanted: Wanted) => {
  const device = await benchDevice();
  const optimizer = await createUpdate(keep, device, work, configOf(work), ["params", "gradients"]);
  if (wanted === "stats") optimizer.step();
  const readers: Readonly<Record<Wanted, Reader>> = {
    params: async () => Object.values(await optimizer.read())[0]!,
    stats: async () => [(await optimizer.stats()).gradientNorm],
  };
  return { device, ...reading(wanted, async () => readers[wanted]) };
});
