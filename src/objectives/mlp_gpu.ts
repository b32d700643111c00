// The multilayer perceptron on the GPU. A training step is one command buffer with one pass: gather the rows, the layers
// forward, the loss, the layers backward, the optimizer's update. The host writes the rows' numbers and nothing else;
// loss and norm come back through a pool of mapped buffers while later steps already run.
import { checkDataset, type Dataset } from "../data/dataset.ts";
import { allocate, bytesOf } from "../gpu/allocate.ts";
import { grid, isSoftware, requireBuffer, requireLimit } from "../gpu/device.ts";
import { type BindingUse, compileKernel, type Dispatch, encodeDispatches, type Kernel } from "../gpu/kernel.ts";
import type { GpuOptimizer } from "../gpu/optimizer.ts";
import { ReadbackPool } from "../gpu/readback.ts";
import { activations, type Layer, type Model } from "./model.ts";
import {
  checkBinding,
  checkFit,
  checkRows,
  type Evaluation,
  type Objective,
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
  /** Encodes loss and gradients of the rows set last into the optimizer's gradient arena. */
  encode(pass: GPUComputePassEncoder): void;
}

const totalsBytes = 8;

/** Batches of an evaluation on their way at once. */
const evaluationsInFlight = 4;

/**
 * Binds a model and its training data to a WebGPU optimizer made of the model's tensors; uploads the data once.
 *
 * @throws OptionError when they do not fit each other, DataError for bad data, DeviceError when the device is too small.
 */
export async function createGpuObjective(
  optimizer: GpuOptimizer,
  model: Model,
  data: Dataset,
  batch: number,
): Promise<GpuObjective> {
  checkBinding(optimizer.segments, model, data, batch);
  const { device } = optimizer;
  // A multiple of 4, so that the products over the batch can be blocked; rows beyond the count are zero.
  const capacity = Math.ceil(batch / 4) * 4;
  const widths = model.config.layers;
  const classes = widths[widths.length - 1]!;
  requireBuffer(device, capacity * Math.max(...widths) * 4, `a batch of ${batch}`);
  const groups = Math.ceil(Math.max(capacity, ...widths) / 4);
  requireLimit(
    device,
    "maxComputeWorkgroupsPerDimension",
    groups,
    `a batch of ${batch} of layers [${widths.join(", ")}]`,
  );
  const resident = await upload(device, data, capacity);
  const created = [...resident.buffers];
  try {
    const { made, buffers } = await allocate(device, `a batch of ${batch}`, (create) => ({
      rows: create("batch", (1 + capacity) * 4),
      outputs: widths.map((width, i) => create(i === 0 ? "inputs" : `layer ${i}`, capacity * width * 4)),
      outcomes: create("outcomes", capacity * 8),
      totals: create("totals", totalsBytes),
    }));
    created.push(...buffers);
    const { rows, outputs, outcomes, totals } = made;
    const [lossKernel, totalKernel, forward, backward] = await Promise.all([
      compileKernel(device, softmaxCrossEntropySource, ["read", "read", "write", "write", "read"], {
        classes,
        capacity,
        loss_scale_index: optimizer.lossScaleIndex(),
      }),
      compileKernel(device, totalSource, ["read", "read", "write"], {}),
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
      bindGroup: totalKernel.bind([rows, outcomes, totals]),
      workgroups: [1, 1],
    };
    const feed = ({ gather, inputs, labels }: ResidentData): Feed => ({
      gather: {
        pipeline: gather.pipeline,
        bindGroup: gather.bind([rows, inputs, outputs[0]!]),
        workgroups: [Math.ceil(data.features / 16), Math.ceil(capacity / 4)],
      },
      loss: {
        pipeline: lossKernel.pipeline,
        bindGroup: lossKernel.bind([rows, labels, outputs[outputs.length - 1]!, outcomes, optimizer.control]),
        workgroups: grid(device, Math.ceil(capacity / 32)),
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

type Bindable = GPUBuffer | GPUBufferBinding;

/** One product with its epilogue: blocked where every size is a multiple of 4, one thread an element elsewhere. */
async function productDispatch(
  device: GPUDevice,
  { m, n, k, transposeA = false, transposeB = false, forward = 0, backward = 0, activation = 0 }: Product,
  buffers: readonly [Bindable, Bindable, Bindable, Bindable],
): Promise<Dispatch> {
  const blocked = m % 4 === 0 && n % 4 === 0 && k % 4 === 0;
  const side = blocked && isSoftware(device) ? 2 : 8;
  const uses: BindingUse[] = ["read", "read", "write", "read"];
  const kernel = await compileKernel(device, blocked ? productSource : productAnySource, uses, {
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
  });
  const [width, height] = blocked ? [8, 16] : [1, 1];
  return {
    pipeline: kernel.pipeline,
    bindGroup: kernel.bind(buffers),
    workgroups: [Math.ceil(n / width / side), Math.ceil(m / height / side)],
  };
}

/** A layer's activation of product and bias. */
function forwardDispatch(
  optimizer: GpuOptimizer,
  { inputs: ins, outputs: outs, weight, bias, activation }: Layer,
  inputs: GPUBuffer,
  outputs: GPUBuffer,
  capacity: number,
): Promise<Dispatch> {
  return productDispatch(
    optimizer.device,
    { m: capacity, n: outs, k: ins, forward: 1, activation: activations.indexOf(activation) },
    [inputs, optimizer.binding("params", weight), outputs, optimizer.binding("params", bias)],
  );
}

/** A layer's weight and bias gradients from its delta, then, in place of its inputs, the delta of the layer before. */
function backwardDispatches(
  optimizer: GpuOptimizer,
  layer: Layer,
  previous: Layer | undefined,
  inputs: GPUBuffer,
  delta: GPUBuffer,
  capacity: number,
): Promise<Dispatch>[] {
  const { device } = optimizer;
  const { inputs: ins, outputs: outs } = layer;
  const weightGradient = productDispatch(device, { m: ins, n: outs, k: capacity, transposeA: true }, [
    inputs,
    delta,
    optimizer.binding("gradients", layer.weight),
    delta,
  ]);
  const biasGradient = compileKernel(device, columnSumSource, ["read", "write"], {
    rows: capacity,
    columns: outs,
  }).then(
    (kernel): Dispatch => ({
      pipeline: kernel.pipeline,
      bindGroup: kernel.bind([delta, optimizer.binding("gradients", layer.bias)]),
      workgroups: [Math.ceil(outs / 32), 1],
    }),
  );
  if (!previous) return [weightGradient, biasGradient];
  const inputDelta = productDispatch(
    device,
    {
      m: capacity,
      n: ins,
      k: outs,
      transposeB: true,
      backward: 1,
      activation: activations.indexOf(previous.activation),
    },
    [delta, optimizer.binding("params", layer.weight), inputs, delta],
  );
  return [weightGradient, biasGradient, inputDelta];
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

class GpuPerceptron implements GpuObjective {
  readonly #optimizer: GpuOptimizer;
  readonly #model: Model;
  readonly #batch: number;
  readonly #capacity: number;
  readonly #resources: Resources;
  readonly #readback: ReadbackPool;

  constructor(optimizer: GpuOptimizer, model: Model, batch: number, capacity: number, resources: Resources) {
    this.#optimizer = optimizer;
    this.#model = model;
    this.#batch = batch;
    this.#capacity = capacity;
    this.#resources = resources;
    this.#readback = new ReadbackPool(optimizer.device, totalsBytes + optimizer.controlBytes, "fallline step report");
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
    const { gradientNorm, step, skipped } = this.#optimizer.noteControl(bytes, totalsBytes);
    return { loss: lossSum(bytes) / rows.length, gradientNorm, step, skipped };
  }

  async gradient(rows: Uint32Array): Promise<number> {
    return lossSum(await this.#submitRows(rows, false)) / rows.length;
  }

  async evaluate(data: Dataset, onProgress?: (rows: number) => void): Promise<Evaluation> {
    checkFit(this.#model, data);
    checkDataset(data);
    const { device } = this.#optimizer;
    const { forward, total, feed } = this.#resources;
    const resident = await upload(device, data, this.#capacity);
    try {
      const { gather, loss } = feed(resident);
      let [sum, hits, done] = [0, 0, 0];
      const pending: { rows: number; bytes: Promise<ArrayBuffer> }[] = [];
      const settle = async () => {
        const { rows, bytes } = pending.shift()!;
        const totals = await bytes;
        sum += lossSum(totals);
        hits += new Uint32Array(totals)[1]!;
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
      return { loss: sum / data.count, accuracy: hits / data.count };
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
    encoder.copyBufferToBuffer(this.#resources.totals, 0, staging, 0, totalsBytes);
    encoder.copyBufferToBuffer(control, 0, staging, totalsBytes, controlBytes);
    device.queue.submit([encoder.finish()]);
    return this.#readback.collect(staging);
  }

  #writeRows(rows: Uint32Array): void {
    const words = new Uint32Array(1 + rows.length);
    words[0] = rows.length;
    words.set(rows, 1);
    this.#optimizer.device.queue.writeBuffer(this.#resources.rows, 0, words);
  }
}

function lossSum(bytes: ArrayBuffer): number {
  return new Float32Array(bytes)[0]!;
}
