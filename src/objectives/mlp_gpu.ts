// The multilayer perceptron on the GPU. A training step is one command buffer with one pass: gather the rows, the layers
// forward, the loss, the layers backward, the optimizer's update. All replicas learn from the rows that are gathered once;
// in every other dispatch they lie in the third dimension. The host writes the rows' numbers and nothing else; losses and
// norms come back through a pool of mapped buffers while later steps already run.
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { DeviceError } from "../errors.ts";
import { allocate, bytesOf } from "../gpu/allocate.ts";
import { isSoftware, requireBuffer, requireLimit } from "../gpu/device.ts";
import { compileKernel, type Dispatch, encodeDispatches, type Kernel } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { ReadbackPool } from "../gpu/readback.ts";
import { objectiveBytes, replicasThatFit, rowCapacity } from "./memory.ts";
import { activations, type Layer, type Model } from "./model.ts";
import {
  checkBinding,
  checkFit,
  checkRows,
  type Evaluation,
  firstAndEach,
  type Objective,
  type ReplicaEvaluation,
  reportOf,
  rowsInOrder,
  type StepReport,
} from "./objective.ts";
import {
  columnSumSource,
  gatherSource,
  productAnySource,
  productSource,
  softmaxCrossEntropySource,
  totalSource,
} from "./sources.ts";

/** An objective whose gradient can be encoded among a caller's own commands. */
export interface GpuObjective extends Objective {
  /** Writes the rows of the next gradient; it takes effect for what is submitted after this call. */
  setRows(rows: Uint32Array): void;
  /** Encodes losses and gradients of the rows set last into the optimizer's gradient arena. */
  encode(pass: GPUComputePassEncoder): void;
}

/** One replica's loss sum and hits. */
const totalBytes = 8;

/** Batches of an evaluation on their way at once. */
const evaluationsInFlight = 4;

/**
 * Binds a model and its training data to a WebGPU optimizer made of the model's tensors; uploads the data once.
 *
 * @throws OptionError when they do not fit each other, DataError for bad data, DeviceError when the device is too small; it
 * says how many replicas would fit.
 */
export async function createGpuObjective(
  optimizer: GpuOptimizer,
  model: Model,
  data: Dataset,
  batch: number,
): Promise<GpuObjective> {
  checkBinding(optimizer.segments, model, data, batch);
  requireDevice(optimizer, model, batch);
  const { device, replicas } = optimizer;
  const capacity = rowCapacity(batch);
  const resident = await upload(device, data, capacity);
  const created = [...resident.buffers];
  try {
    const { made, buffers } = await allocate(device, purposeOf(optimizer, batch), (create) => ({
      rows: create("batch", (1 + capacity) * 4),
      outputs: model.config.layers.map((width, i): Operand => {
        if (i === 0) return { buffer: create("inputs", capacity * width * 4), stride: 0 };
        return { buffer: create(`layer ${i}`, replicas * capacity * width * 4), stride: capacity * width };
      }),
      outcomes: create("outcomes", replicas * capacity * 8),
      totals: create("totals", replicas * totalBytes),
    }));
    created.push(...buffers);
    const { rows, outputs, outcomes, totals } = made;
    const logits = outputs[outputs.length - 1]!;
    const classes = model.config.layers[model.layers.length]!;
    const constants = replicaConstants(optimizer);
    const [lossKernel, totalKernel, forward, backward] = await Promise.all([
      compileKernel(device, softmaxCrossEntropySource, ["read", "read", "write", "write", "read"], {
        ...constants,
        classes,
        capacity,
        loss_scale_index: optimizer.lossScaleIndex(),
      }),
      compileKernel(device, totalSource, ["read", "read", "write", "read"], {
        ...constants,
        capacity,
        lane_count: isSoftware(device) ? 1 : 64,
      }),
      Promise.all(
        model.layers.map((layer, l) => forwardDispatch(optimizer, layer, outputs[l]!, outputs[l + 1]!, capacity)),
      ),
      Promise.all(
        [...model.layers.keys()]
          .reverse()
          .flatMap((l) =>
            backwardDispatches(
              optimizer,
              model.layers[l]!,
              model.layers[l - 1],
              outputs[l]!,
              outputs[l + 1]!,
              capacity,
            ),
          ),
      ),
    ]);
    const total: Dispatch = {
      pipeline: totalKernel.pipeline,
      bindGroup: totalKernel.bind([rows, outcomes, totals, optimizer.control]),
      workgroups: [1, 1, replicas],
    };
    const feed = ({ gather, inputs, labels }: ResidentData): Feed => ({
      gather: {
        pipeline: gather.pipeline,
        bindGroup: gather.bind([rows, inputs, outputs[0]!]),
        workgroups: [Math.ceil(data.features / 16), Math.ceil(capacity / 4)],
      },
      loss: {
        pipeline: lossKernel.pipeline,
        bindGroup: lossKernel.bind([rows, labels, logits, outcomes, optimizer.control]),
        workgroups: [Math.ceil(capacity / 32), 1, replicas],
      },
    });
    const training = feed(resident);
    return new GpuPerceptron(optimizer, model, batch, capacity, {
      created,
      rows,
      totals,
      forward,
      backward,
      total,
      feed,
      training,
      data,
    });
  } catch (error) {
    for (const buffer of created) buffer.destroy();
    throw error;
  }
}

const purposeOf = ({ replicas }: GpuOptimizer, batch: number) =>
  replicas === 1 ? `a batch of ${batch}` : `a batch of ${batch} for ${replicas} replicas`;

/** @throws DeviceError for what does not fit into one buffer, or has too many workgroups. */
function requireDevice(optimizer: GpuOptimizer, model: Model, batch: number): void {
  const { device, replicas } = optimizer;
  const purpose = purposeOf(optimizer, batch);
  const capacity = rowCapacity(batch);
  const widths = model.config.layers;
  requireBuffer(device, capacity * widths[0]! * 4, `a batch of ${batch}`);
  const needed = objectiveBytes(model, batch) * replicas;
  const bound = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  if (needed > bound) {
    const fit = replicasThatFit(device.limits, model, batch, optimizer.config);
    throw new DeviceError(
      `${purpose} needs ${size(needed)} in one buffer; the device binds at most ${size(bound)}: ${
        fit === 0 ? "not even one replica fits" : fit === 1 ? "1 replica fits" : `${fit} replicas fit`
      }`,
    );
  }
  requireLimit(
    device,
    "maxComputeWorkgroupsPerDimension",
    Math.ceil(Math.max(capacity, ...widths) / 4),
    `a batch of ${batch} of layers [${widths.join(", ")}]`,
  );
}

function size(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}

/** A matrix of each replica, `stride` elements apart; 0 where all share one. */
interface Operand extends GPUBufferBinding {
  readonly stride: number;
}

/** A tensor of all replicas in one binding. */
function tensor(optimizer: GpuOptimizer, role: "params" | "gradients", name: string): Operand {
  const first = optimizer.binding(role, name);
  if (optimizer.replicas === 1) return { ...first, stride: 0 };
  const stride = optimizer.binding(role, name, 1).offset - first.offset;
  return { ...first, size: first.size! + stride * (optimizer.replicas - 1), stride: stride / 4 };
}

/** Where kernels find which replicas are halted. */
function replicaConstants(optimizer: GpuOptimizer): Record<string, number> {
  return { control_stride: optimizer.controlBytes / optimizer.replicas / 4, skip_index: optimizer.skipIndex() };
}

/** A data set on the GPU and the kernel that gathers from its format. */
interface ResidentData {
  readonly inputs: GPUBuffer;
  readonly labels: GPUBuffer;
  readonly gather: Kernel;
  readonly buffers: readonly GPUBuffer[];
}

async function upload(device: GPUDevice, data: Dataset, capacity: number): Promise<ResidentData> {
  const { inputs, labels, features, scale, name } = data;
  requireBuffer(device, Math.ceil(inputs.byteLength / 4) * 4, name);
  const gather = await compileKernel(device, gatherSource, ["read", "read", "write"], {
    features,
    capacity,
    bytes: Number(inputs instanceof Uint8Array),
    scale,
  });
  const { made, buffers } = await allocate(device, name, (create) => ({
    inputs: create(`${name} inputs`, inputs.byteLength, bytesOf(inputs)),
    labels: create(`${name} labels`, 4 * labels.length, bytesOf(Uint32Array.from(labels))),
  }));
  return { ...made, gather, buffers };
}

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly forward?: number;
  readonly backward?: number;
  readonly activation?: number;
}

/** One product with its epilogue: in the larger blocks where every size is a multiple of 4. */
async function productDispatch(
  optimizer: GpuOptimizer,
  { m, n, k, transposeA = false, transposeB = false, forward = 0, backward = 0, activation = 0 }: Product,
  [a, b, c, bias]: readonly [Operand, Operand, Operand, Operand],
): Promise<Dispatch> {
  const { device, replicas, control } = optimizer;
  const blocked = m % 4 === 0 && n % 4 === 0 && k % 4 === 0;
  const side = isSoftware(device) ? 2 : 8;
  const element = blocked ? 4 : 1;
  const kernel = await compileKernel(
    device,
    blocked ? productSource : productAnySource,
    ["read", "read", "write", "read", "read"],
    {
      ...replicaConstants(optimizer),
      M: m,
      N: n,
      K: k,
      transpose_a: Number(transposeA),
      transpose_b: Number(transposeB),
      forward,
      backward,
      activation,
      workgroup_x: side,
      workgroup_y: side,
      a_stride: a.stride / element,
      b_stride: b.stride / element,
      c_stride: c.stride / element,
      bias_stride: bias.stride / element,
    },
  );
  const [width, height] = blocked ? [8, 16] : [4, 4];
  return {
    pipeline: kernel.pipeline,
    bindGroup: kernel.bind([a, b, c, bias, control]),
    workgroups: [Math.ceil(n / width / side), Math.ceil(m / height / side), replicas],
  };
}

/** A layer's activation of product and bias. */
function forwardDispatch(
  optimizer: GpuOptimizer,
  { inputs: ins, outputs: outs, weight, bias, activation }: Layer,
  inputs: Operand,
  outputs: Operand,
  capacity: number,
): Promise<Dispatch> {
  return productDispatch(
    optimizer,
    { m: capacity, n: outs, k: ins, forward: 1, activation: activations.indexOf(activation) },
    [inputs, tensor(optimizer, "params", weight), outputs, tensor(optimizer, "params", bias)],
  );
}

/** A layer's weight and bias gradients from its delta, then, in place of its inputs, the delta of the layer before. */
function backwardDispatches(
  optimizer: GpuOptimizer,
  layer: Layer,
  previous: Layer | undefined,
  inputs: Operand,
  delta: Operand,
  capacity: number,
): Promise<Dispatch>[] {
  const { inputs: ins, outputs: outs } = layer;
  const weightGradient = productDispatch(optimizer, { m: ins, n: outs, k: capacity, transposeA: true }, [
    inputs,
    delta,
    tensor(optimizer, "gradients", layer.weight),
    delta,
  ]);
  const biasGradient = columnSumDispatch(optimizer, delta, tensor(optimizer, "gradients", layer.bias), capacity, outs);
  if (!previous) return [weightGradient, biasGradient];
  const inputDelta = productDispatch(
    optimizer,
    {
      m: capacity,
      n: ins,
      k: outs,
      transposeB: true,
      backward: 1,
      activation: activations.indexOf(previous.activation),
    },
    [delta, tensor(optimizer, "params", layer.weight), inputs, delta],
  );
  return [weightGradient, biasGradient, inputDelta];
}

async function columnSumDispatch(
  optimizer: GpuOptimizer,
  matrix: Operand,
  sums: Operand,
  rows: number,
  columns: number,
): Promise<Dispatch> {
  const kernel = await compileKernel(optimizer.device, columnSumSource, ["read", "write", "read"], {
    ...replicaConstants(optimizer),
    rows,
    columns,
    matrix_stride: matrix.stride,
    sums_stride: sums.stride,
  });
  return {
    pipeline: kernel.pipeline,
    bindGroup: kernel.bind([matrix, sums, optimizer.control]),
    workgroups: [Math.ceil(columns / 32), 1, optimizer.replicas],
  };
}

/** The two dispatches that depend on the data set. */
interface Feed {
  readonly gather: Dispatch;
  readonly loss: Dispatch;
}

interface Resources {
  readonly created: readonly GPUBuffer[];
  readonly rows: GPUBuffer;
  readonly totals: GPUBuffer;
  readonly forward: readonly Dispatch[];
  readonly backward: readonly Dispatch[];
  readonly total: Dispatch;
  readonly feed: (resident: ResidentData) => Feed;
  readonly training: Feed;
  readonly data: Dataset;
}

/** What one submission tells of a replica. */
interface Total {
  readonly sum: number;
  readonly hits: number;
  /** Whether it was halted then, so that sum and hits are of an earlier batch. */
  readonly halted: boolean;
}

class GpuPerceptron implements GpuObjective {
  readonly #optimizer: GpuOptimizer;
  readonly #model: Model;
  readonly #batch: number;
  readonly #capacity: number;
  readonly #resources: Resources;
  readonly #readback: ReadbackPool;
  readonly #totalsBytes: number;
  /** What was last heard of each replica: of one that is halted, this stays. */
  readonly #losses: number[];
  readonly #evaluations: ReplicaEvaluation[];

  constructor(optimizer: GpuOptimizer, model: Model, batch: number, capacity: number, resources: Resources) {
    const { device, replicas, controlBytes } = optimizer;
    this.#optimizer = optimizer;
    this.#model = model;
    this.#batch = batch;
    this.#capacity = capacity;
    this.#resources = resources;
    this.#totalsBytes = replicas * totalBytes;
    this.#readback = new ReadbackPool(device, this.#totalsBytes + controlBytes, "fallline step report");
    this.#losses = Array.from({ length: replicas }, () => 0);
    this.#evaluations = Array.from({ length: replicas }, () => ({ loss: 0, accuracy: 0 }));
  }

  setRows(rows: Uint32Array): void {
    checkRows(rows, this.#batch, this.#resources.data);
    this.#writeRows(rows);
  }

  encode(pass: GPUComputePassEncoder): void {
    const { training, forward, total, backward } = this.#resources;
    encodeDispatches(pass, [training.gather, ...forward, training.loss, total, ...backward]);
  }

  async step(rows: Uint32Array): Promise<StepReport> {
    const bytes = await this.#submitRows(rows, true);
    const losses = this.#noteLosses(bytes, rows.length);
    const stats = this.#optimizer.noteControl(bytes, this.#totalsBytes);
    return firstAndEach(stats.map((each, replica) => reportOf(losses[replica]!, each)));
  }

  async gradient(rows: Uint32Array): Promise<readonly number[]> {
    return this.#noteLosses(await this.#submitRows(rows, false), rows.length);
  }

  async evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkFit(this.#model, data);
    checkDataset(data);
    const { device } = this.#optimizer;
    const { forward, total, feed } = this.#resources;
    const resident = await upload(device, data, this.#capacity);
    try {
      const { gather, loss } = feed(resident);
      const results = this.#evaluations.map(() => ({ sum: 0, hits: 0, halted: false }));
      let done = 0;
      const pending: { rows: number; bytes: Promise<ArrayBuffer> }[] = [];
      const settle = async () => {
        const { rows, bytes } = pending.shift()!;
        this.#totals(await bytes).forEach(({ sum, hits, halted }, r) => {
          const result = results[r]!;
          result.sum += sum;
          result.hits += hits;
          result.halted ||= halted;
        });
        done += rows;
        onProgress?.(done);
      };
      for (const rows of rowsInOrder(data.count, this.#batch)) {
        if (pending.length === evaluationsInFlight) await settle();
        this.#writeRows(rows);
        const bytes = this.#submit((pass) => encodeDispatches(pass, [gather, ...forward, loss, total]));
        pending.push({ rows: rows.length, bytes });
      }
      while (pending.length > 0) await settle();
      results.forEach(({ sum, hits, halted }, r) => {
        if (!halted) this.#evaluations[r] = { loss: sum / data.count, accuracy: hits / data.count };
      });
      return firstAndEach([...this.#evaluations]);
    } finally {
      for (const buffer of resident.buffers) buffer.destroy();
    }
  }

  destroy(): void {
    for (const buffer of this.#resources.created) buffer.destroy();
    this.#readback.destroy();
  }

  #submitRows(rows: Uint32Array, update: boolean): Promise<ArrayBuffer> {
    this.setRows(rows);
    return this.#submit((pass) => {
      this.encode(pass);
      if (update) this.#optimizer.encode(pass);
    });
  }

  /** One command buffer with one pass; resolves to the totals and the control buffer after it. */
  #submit(encode: (pass: GPUComputePassEncoder) => void): Promise<ArrayBuffer> {
    const { device, control, controlBytes } = this.#optimizer;
    const encoder = device.createCommandEncoder({ label: "fallline objective" });
    const pass = encoder.beginComputePass({ label: "fallline objective" });
    encode(pass);
    pass.end();
    const staging = this.#readback.take();
    encoder.copyBufferToBuffer(this.#resources.totals, 0, staging, 0, this.#totalsBytes);
    encoder.copyBufferToBuffer(control, 0, staging, this.#totalsBytes, controlBytes);
    device.queue.submit([encoder.finish()]);
    return this.#readback.collect(staging);
  }

  #writeRows(rows: Uint32Array): void {
    const words = new Uint32Array(1 + rows.length);
    words[0] = rows.length;
    words.set(rows, 1);
    this.#optimizer.device.queue.writeBuffer(this.#resources.rows, 0, words);
  }

  /** Each replica's mean loss; of one that is halted, the last before. */
  #noteLosses(bytes: ArrayBuffer, rows: number): readonly number[] {
    this.#totals(bytes).forEach(({ sum, halted }, r) => {
      if (!halted) this.#losses[r] = sum / rows;
    });
    return [...this.#losses];
  }

  #totals(bytes: ArrayBuffer): readonly Total[] {
    const floats = new Float32Array(bytes);
    const words = new Uint32Array(bytes);
    const control = this.#totalsBytes / 4;
    return this.#losses.map((_, r) => ({
      sum: floats[2 * r]!,
      hits: words[2 * r + 1]!,
      halted: words[control + this.#optimizer.skipIndex(r)] === 2,
    }));
  }
}
