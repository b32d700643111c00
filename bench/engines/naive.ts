// A first attempt: kernels without vectors, tiles or anything shared, and a dispatch for every tensor.
import wgslOfUpdate from "../../shaders/bench/naive_adamw.wgsl?raw";
import wgslOfNorm from "../../shaders/bench/naive_norm.wgsl?raw";
import wgslOfProduct from "../../shaders/bench/naive_product.wgsl?raw";
import wgslOfSquares from "../../shaders/bench/naive_squares.wgsl?raw";
import { assemble } from "../../src/base/assemble.ts";
import { bytesOf } from "../../src/engines/gpu/allocate.ts";
import { grid } from "../../src/engines/gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "../../src/engines/gpu/kernel.ts";
import { readParts } from "../../src/engines/gpu/readback.ts";
import { benchDevice, passRunner, runnerOn, submitPass } from "../device.ts";
import { answerOfProduct, bytesOfProduct, type Matrices } from "../matrices.ts";
import {
  type Answering,
  answerOfUpdate,
  hypers,
  maxNormOf,
  readSamples,
  stepBytesOf,
  type UpdateWork,
  upload,
} from "../update.ts";
import { allocateKept, type Keep, keeping } from "./keeping.ts";

export const product = keeping(async (keep, work: Matrices) => {
  const device = await benchDevice();
  const { m, n, k, transposeA, transposeB } = work;
  const [aRow, aDepth] = transposeA ? [1, m] : [k, 1];
  const [bDepth, bColumn] = transposeB ? [1, k] : [n, 1];
  const sizes = Uint32Array.of(m, n, k, aRow!, aDepth!, bDepth!, bColumn!);
  const pipeline = await device.createComputePipelineAsync({
    label: "naive product",
    layout: "auto",
    compute: { module: device.createShaderModule({ code: wgslOfProduct }) },
  });
  const made = await allocateKept(keep, device, `a product of ${m} × ${n} × ${k}`, (create) => ({
    sizes: create("sizes", sizes.byteLength, bytesOf(sizes), "uniform"),
    a: create("A", work.a.byteLength, bytesOf(work.a)),
    b: create("B", work.b.byteLength, bytesOf(work.b)),
    c: create("C", 4 * m * n),
  }));
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [made.sizes, made.a, made.b, made.c].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const dispatch = { pipeline, bindGroup, workgroups: [Math.ceil(n / 8), Math.ceil(m / 8)] } as const;
  const step = () => submitPass(device, (pass) => encodeDispatches(pass, [dispatch]));
  return {
    ...runnerOn(device),
    bytes: bytesOfProduct(work),
    step,
    async answer() {
      step();
      const [bytes] = await readParts(device, [{ buffer: made.c, offset: 0, bytes: 4 * m * n }]);
      return answerOfProduct(work, new Float32Array(bytes!));
    },
  };
});

const sourceOfUpdate = assemble("naive AdamW", [{ name: "shaders/bench/naive_adamw.wgsl", text: wgslOfUpdate }]);
const sourceOfSquares = assemble("naive squares", [{ name: "shaders/bench/naive_squares.wgsl", text: wgslOfSquares }]);
const sourceOfNorm = assemble("naive norm", [{ name: "shaders/bench/naive_norm.wgsl", text: wgslOfNorm }]);

/**
 * Workgroups share a tensor's squares, each so many, or more for a large tensor; the sums of each tensor start at a place that
 * can be bound.
 */
const [squaresEach, mostSums, sumsAlignment] = [4096, 1024, 64];
const sumsOf = (length: number) => Math.min(mostSums, Math.ceil(length / squaresEach));
const alignedSums = (length: number) => Math.ceil(sumsOf(length) / sumsAlignment) * sumsAlignment;

interface NormBuffers {
  readonly gradients: readonly GPUBuffer[];
  readonly sums: GPUBuffer;
  readonly maxNorm: GPUBuffer;
  /** The norm, and the gradient's factor. */
  readonly found: GPUBuffer;
}

/** Sums of squares tensor by tensor, then one workgroup over all of them. */
async function normDispatches(device: GPUDevice, work: UpdateWork, buffers: NormBuffers): Promise<Dispatch[]> {
  const squares = await compileKernel(device, sourceOfSquares, ["read", "write"], {});
  const norm = await compileKernel(device, sourceOfNorm, ["read", "write", "uniform"], {});
  let offset = 0;
  const perTensor = work.tensors.map(({ length }, t): Dispatch => {
    const sums = { buffer: buffers.sums, offset, size: 4 * sumsOf(length) };
    offset += 4 * alignedSums(length);
    return {
      pipeline: squares.pipeline,
      bindGroup: squares.bind([buffers.gradients[t]!, sums]),
      workgroups: [sumsOf(length), 1],
    };
  });
  const bindGroup = norm.bind([buffers.sums, buffers.found, buffers.maxNorm]);
  return [...perTensor, { pipeline: norm.pipeline, bindGroup, workgroups: [1, 1] }];
}

async function createUpdate(keep: Keep, device: GPUDevice, work: UpdateWork, kind: "update" | "norm") {
  const sums = work.tensors.reduce((sum, { length }) => sum + alignedSums(length), 0);
  const maxNorm = Float32Array.of(maxNormOf(work));
  const made = await allocateKept(keep, device, `${work.n} parameters`, (create) => {
    const perTensor = (label: string) => work.tensors.map(({ length }) => create(label, 4 * length));
    const states = kind === "update" ? (["params", "m", "v"] as const) : [];
    const [params = [], m = [], v = []] = states.map(perTensor);
    return {
      ...{ params, m, v, gradients: perTensor("gradients"), sums: create("sums", 4 * sums), found: create("found", 8) },
      maxNorm: create("the largest norm", 4, bytesOf(maxNorm), "uniform"),
    };
  });
  for (const t of work.tensors.keys()) {
    upload(work, "gradients", t, { buffer: made.gradients[t]! }, device);
    if (kind === "update") upload(work, "params", t, { buffer: made.params[t]! }, device);
  }
  return made;
}

async function readNorm(device: GPUDevice, found: GPUBuffer): Promise<number> {
  const [bytes] = await readParts(device, [{ buffer: found, offset: 0, bytes: 4 }]);
  return new Float32Array(bytes!)[0]!;
}

/** A dispatch for each tensor, with its own buffers; the host writes the hypers at every step. */
export const update = keeping(async (keep, work: UpdateWork, on: Promise<GPUDevice> = benchDevice()) => {
  const device = await on;
  const uses = ["write", "read", "write", "write", "uniform", "read"] as const;
  const kernel = await compileKernel(device, sourceOfUpdate, uses, { clip: Number(work.clip) });
  const made = await createUpdate(keep, device, work, "update");
  const scalars = keep(device.createBuffer({ size: 24, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST }));
  const dispatches = [
    ...(work.clip ? await normDispatches(device, work, made) : []),
    ...work.tensors.map(({ length }, t): Dispatch => {
      const bound = [made.params[t]!, made.gradients[t]!, made.m[t]!, made.v[t]!, scalars, made.found];
      return {
        pipeline: kernel.pipeline,
        bindGroup: kernel.bind(bound),
        workgroups: grid(device, Math.ceil(length / 64)),
      };
    }),
  ];
  const { lr, beta1, beta2, eps, weightDecay } = hypers;
  let steps = 0;
  const encode = (pass: GPUComputePassEncoder) => encodeDispatches(pass, dispatches);
  const step = () => {
    steps++;
    const stepSize = lr / (1 - beta1 ** steps);
    const row = Float32Array.of(stepSize, beta1, beta2, Math.sqrt(1 - beta2 ** steps), eps, 1 - lr * weightDecay);
    device.queue.writeBuffer(scalars, 0, row);
    submitPass(device, encode);
  };
  const answering: Answering = {
    step,
    ...(work.clip && { norm: () => readNorm(device, made.found) }),
    params: () => readSamples(work, device, (t) => ({ buffer: made.params[t]! })),
  };
  const bytes = stepBytesOf(work);
  return {
    ...passRunner(device, encode),
    ...(bytes !== undefined && { bytes }),
    encode,
    step,
    answer: () => answerOfUpdate(answering),
  };
});

export const norm = keeping(async (keep, work: UpdateWork) => {
  const device = await benchDevice();
  const made = await createUpdate(keep, device, work, "norm");
  const dispatches = await normDispatches(device, work, made);
  const encode = (pass: GPUComputePassEncoder) => encodeDispatches(pass, dispatches);
  const runner = passRunner(device, encode);
  return {
    ...runner,
    bytes: 4 * work.n,
    async answer() {
      runner.step();
      return { numbers: [await readNorm(device, made.found)], values: [] };
    },
  };
});
