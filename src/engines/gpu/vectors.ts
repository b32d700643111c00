// Vectors over an optimizer's parameters on the GPU, all replicas at once, in buffers of their own. An operation is recorded as
// one dispatch, or two for sums, however many tensors there are; recorded operations go to the device as one submission, together
// with the reads. cpu/vectors.ts is the reference.
import { DeviceError, OptionError } from "../../base/errors.ts";
import type { Struct, Values } from "../../base/struct.ts";
import { chunkLength } from "../../optimizer/arena.ts";
import type { Location } from "../../optimizer/locations.ts";
import { type Optimizer, type Role, readOptimizer } from "../../optimizer/optimizer.ts";
import { insideOf } from "../../optimizer/shell.ts";
import {
  type At,
  alone,
  type Block,
  type Coefficients,
  checkApart,
  checkScalars,
  checkSpan,
  elementwise,
  perReplica,
  planVectors,
  type Span,
  type VectorOptions,
  type VectorPlan,
  type VectorSpace,
  type VectorTensor,
} from "../vectors.ts";
import { allocate } from "./allocate.ts";
import { deviceLoss, grid, lossText } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { type StreamShape, streamShape } from "./kernel_shapes.ts";
import type { GpuOptimizer } from "./optimizer.ts";
import { ReadbackPool, readParts } from "./readback.ts";
import { bindingAlignment, Recorder, type RecorderBuffers } from "./recorder.ts";
import { compileVectorKernels, type VectorKernel, vectorStructs } from "./vector_kernels.ts";
import { layoutVectors, type PlacedVector, runsOf, type VectorLayout } from "./vector_layout.ts";

/** Four elements are processed at once. */
const chunkQuads = chunkLength / 4;

/** Dispatches recorded before they are submitted without a request, besides those that an optimizer in many runs needs at once. */
const mostRecorded = 1024;

/** Scalars that come back through pooled buffers; for more at once a buffer is made. */
const pooledScalars = 64;

/** The bits of a NaN, which no kernel can write as a constant. */
const nan = 0x7fc0_0000;

interface Held extends RecorderBuffers {
  readonly scalars: GPUBuffer;
}

/**
 * Vectors over tensors of a WebGPU optimizer.
 *
 * @throws OptionError for unknown tensors or an unknown replica; DeviceError if the device runs out of memory.
 */
export async function createVectors(optimizer: GpuOptimizer, options: VectorOptions = {}): Promise<GpuVectors> {
  readOptimizer(optimizer, "webgpu");
  return GpuVectors.open(optimizer, planVectors(optimizer, options));
}

/** Dispatches needed to move all of an optimizer's tensors. */
function runCount(optimizer: GpuOptimizer): number {
  const layout = layoutVectors(optimizer.segments);
  const { locate, layouts } = insideOf(optimizer);
  return Math.max(...(["params", "gradients"] as const).map((role) => runsOf(layout, locate(role), layouts).length));
}

export class GpuVectors implements VectorSpace {
  readonly backend: Optimizer["backend"] = "webgpu";
  readonly length: number;
  readonly replicas: number;
  readonly tensors: readonly VectorTensor[];
  readonly scalarCount: number;
  /** Replicas of the optimizer before the first of the space. */
  readonly firstReplica: number;
  /** Scalar i of replica r at i·replicas + r; float32. */
  readonly scalarBuffer: GPUBuffer;
  /** Called before the optimizer's arrays are read or written, and before recorded operations are submitted. */
  leave: () => void = () => {};
  readonly #optimizer: GpuOptimizer;
  readonly #plan: VectorPlan;
  readonly #layout: VectorLayout;
  readonly #kernels: Readonly<Record<VectorKernel, Kernel>>;
  readonly #shape: StreamShape;
  readonly #held: Held;
  readonly #pool: ReadbackPool;
  readonly #recorder: Recorder;
  readonly #blocks = new Map<Block, GPUBuffer>();
  #partials: GPUBuffer | undefined;
  #partialVectors = 0;
  #destroyed = false;

  static async open(optimizer: GpuOptimizer, plan: VectorPlan): Promise<GpuVectors> {
    const { device } = optimizer;
    const shape = streamShape(device);
    const compiled = await compileVectorKernels(device, shape);
    const floats = plan.scalarCount * plan.replicas;
    const dispatches = mostRecorded + 16 * runCount(optimizer);
    const { made, buffers } = await allocate(device, `${floats} scalars`, (create) => ({
      sizes: create("vector sizes", dispatches * bindingAlignment, undefined, "uniform"),
      uploads: create("vector uploads", 4 * Math.max(4096, floats)),
      scalars: create("scalars", 4 * floats),
    }));
    if (optimizer.destroyed) {
      for (const buffer of buffers) buffer.destroy();
      throw new DeviceError("vectors were requested from a destroyed optimizer");
    }
    return new GpuVectors(optimizer, plan, compiled, shape, made);
  }

  private constructor(
    optimizer: GpuOptimizer,
    plan: VectorPlan,
    compiled: Readonly<Record<VectorKernel, Kernel>>,
    shape: StreamShape,
    held: Held,
  ) {
    const { length, replicas, tensors, scalarCount, firstReplica } = plan;
    this.length = length;
    this.replicas = replicas;
    this.tensors = tensors;
    this.scalarCount = scalarCount;
    this.firstReplica = firstReplica;
    this.scalarBuffer = held.scalars;
    this.#optimizer = optimizer;
    this.#plan = plan;
    this.#layout = layoutVectors(plan.segments);
    this.#kernels = compiled;
    this.#shape = shape;
    this.#held = held;
    this.#pool = new ReadbackPool(optimizer.device, 4 * replicas * pooledScalars, "scalars");
    this.#recorder = new Recorder(optimizer.device, held);
  }

  isOf(optimizer: Optimizer): boolean {
    return optimizer === this.#optimizer;
  }

  async create(count: number): Promise<Block> {
    this.#mustLive("create");
    const { device } = this.#optimizer;
    const { stride } = this.#layout;
    const purpose = `${count} vectors of ${this.length} elements, ${this.replicas} ×`;
    // A norm stores three numbers.
    const vectors = Math.max(3, count);
    const more = vectors > this.#partialVectors;
    const { made, buffers } = await allocate(device, purpose, (create) => ({
      block: create("vectors", 4 * count * stride * this.replicas),
      partials: more ? create("vector partials", 4 * vectors * this.#partialCount * this.replicas) : undefined,
    }));
    try {
      this.#mustLive("create");
    } catch (error) {
      for (const buffer of buffers) buffer.destroy();
      throw error;
    }
    if (made.partials) {
      this.#replacePartials(made.partials);
      this.#partialVectors = vectors;
    }
    const block: Block = { count };
    this.#blocks.set(block, made.block);
    return block;
  }

  #replacePartials(partials: GPUBuffer): void {
    if (this.#partials) {
      this.flush();
      this.#partials.destroy();
    }
    this.#partials = partials;
  }

  free(block: Block): void {
    const buffer = this.#blocks.get(block);
    if (!buffer) return;
    // Recorded operations may need it.
    this.flush();
    this.#blocks.delete(block);
    buffer.destroy();
  }

  load(role: Role, to: At): void {
    this.#bufferOf(alone(to));
    this.leave();
    this.loadRole(role, to);
    // What updates leave behind a tensor in a slot, and a caller's kernel in the gradients, need not be 0.
    if (role !== "params") this.#clearPadding(to);
  }

  store(from: At): void {
    this.#bufferOf(alone(from));
    this.leave();
    this.storeParams(from);
  }

  /** {@link GpuVectors.load} without leaving. */
  loadRole(role: Role, to: At): void {
    this.move("load", role, elementwise(this.#optimizer, role, this.#plan), this.#placed(to), role === "gradients");
  }

  /** {@link GpuVectors.store} without leaving. */
  storeParams(from: At): void {
    this.move("store", "params", elementwise(this.#optimizer, "params", this.#plan), this.#placed(from));
  }

  /** Sets what lies between a vector's tensors to 0, which sums over it take for granted. */
  #clearPadding(at: At): void {
    const buffer = this.#bufferOf(alone(at));
    const { gaps, stride } = this.#layout;
    if (gaps.length === 0) return;
    const first = at.index * this.replicas;
    this.#recorder.between((encoder) => {
      for (let r = 0; r < this.replicas; r++) {
        for (const { begin, end } of gaps) {
          encoder.clearBuffer(buffer, 4 * ((first + r) * stride + begin), 4 * (end - begin));
        }
      }
    });
  }

  #placed(at: At): PlacedVector {
    const { firstReplica, replicas } = this;
    return { buffer: this.#bufferOf(alone(at)), layout: this.#layout, index: at.index, firstReplica, replicas };
  }

  /**
   * Moves runs between a vector, of any layout, and the optimizer's arrays.
   *
   * @param unscale Whether to undo the loss scale and return NaN for a halted replica.
   */
  move(
    direction: "load" | "store",
    role: Role,
    ranges: readonly Location[],
    { buffer, layout, index, firstReplica, replicas }: PlacedVector,
    unscale = false,
  ): void {
    const { device, control, controlBytes, replicas: all } = this.#optimizer;
    const where = { replica: firstReplica };
    const runs = runsOf(layout, ranges, insideOf(this.#optimizer).layouts);
    this.reserve(runs.length);
    for (const { range, first, length } of runs) {
      const held = this.#optimizer.binding(role, range.segment.name, where);
      const behind = held.offset % bindingAlignment;
      const bound = {
        buffer: held.buffer,
        offset: held.offset - behind,
        size: behind + 4 * (length + range.stride * (replicas - 1)),
      };
      const sizes = this.#recorder.sizes(vectorStructs.move, {
        ...{ vector: index, first, length, replicas, stride: layout.stride, chunkLength },
        ...{ held: behind / 4, heldStride: range.stride, isGradient: Number(unscale), nan },
        controlStride: controlBytes / all / 4,
        skip: this.#optimizer.controlIndex("skip", where),
        lossScale: this.#optimizer.controlIndex("lossScale", where),
      });
      const buffers = direction === "load" ? [buffer, bound, control, sizes] : [buffer, bound, sizes];
      const workgroups = [...grid(device, Math.ceil(length / chunkLength)), replicas] as const;
      this.#dispatch(direction, buffers, workgroups);
    }
  }

  write(to: At, values: readonly ArrayLike<number>[]): void {
    const buffer = this.#bufferOf(alone(to));
    const { places, stride } = this.#layout;
    const given = perReplica(values, this.replicas);
    const data = new Float32Array(stride * this.replicas);
    given.forEach((list, r) => {
      if (list.length !== this.length) {
        throw new OptionError(`values hold ${list.length} elements; a vector has ${this.length}`);
      }
      this.tensors.forEach(({ first, length }, i) => {
        for (let e = 0; e < length; e++) data[r * stride + places[i]! + e] = list[first + e]!;
      });
    });
    // Recorded operations may read the values that are overwritten.
    this.flush();
    this.#optimizer.device.queue.writeBuffer(buffer, 4 * to.index * stride * this.replicas, data);
  }

  async read(at: At): Promise<readonly Float64Array[]> {
    const buffer = this.#bufferOf(alone(at));
    const { places, stride } = this.#layout;
    const bytes = 4 * stride * this.replicas;
    this.leave();
    const commands = this.#recorder.take();
    const [copy] = await this.#recorder.proven(
      readParts(this.#optimizer.device, [{ buffer, offset: at.index * bytes, bytes }], commands),
    );
    const floats = new Float32Array(copy!);
    return Array.from({ length: this.replicas }, (_, r) => {
      const values = new Float64Array(this.length);
      this.tensors.forEach(({ first, length }, i) => {
        const begin = r * stride + places[i]!;
        values.set(floats.subarray(begin, begin + length), first);
      });
      return values;
    });
  }

  dots(x: Span, y: At, into: number): void {
    const [xs, ys] = [this.#bufferOf(x), this.#bufferOf(alone(y))];
    checkScalars(this, into, x.count);
    this.#sum("dots", [xs, ys], [x.first, y.index], x.count, into);
  }

  combine(y: At, keep: number, x: Span, coefficients: Coefficients, times = 1): void {
    const [xs, ys] = [this.#bufferOf(x), this.#bufferOf(alone(y))];
    checkApart(y, x);
    const isSlot = typeof coefficients === "number";
    if (isSlot) checkScalars(this, coefficients, x.count);
    else if (coefficients.length !== x.count) {
      throw new OptionError(`${coefficients.length} coefficients given for ${x.count} vectors`);
    }
    this.reserve(1, isSlot ? 0 : x.count);
    const factor = isSlot ? coefficients * this.replicas : this.#recorder.upload(coefficients);
    const sizes = this.#recorder.sizes(vectorStructs.combine, {
      ...{ ...this.#places(x.first, y.index), count: x.count, keep, times },
      ...{ factor, factorStep: isSlot ? this.replicas : 1, factorReplica: Number(isSlot) },
    });
    const factors = isSlot ? this.scalarBuffer : this.#held.uploads;
    if (xs === ys) this.#dispatch("combineWithin", [ys, factors, sizes], this.#everywhere);
    else this.#dispatch("combineApart", [ys, factors, xs, sizes], this.#everywhere);
  }

  norm(x: At, into: number): void {
    checkScalars(this, into, 1);
    this.#sum("norm", [this.#bufferOf(alone(x))], [x.index, 0], 1, into);
  }

  extent(x: At, into: number): void {
    checkScalars(this, into, 2);
    this.#sum("extent", [this.#bufferOf(alone(x))], [x.index, 0], 1, into);
  }

  multiply(y: At, x: At): void {
    const [xs, ys] = [this.#bufferOf(alone(x)), this.#bufferOf(alone(y))];
    this.reserve(1);
    const sizes = this.#recorder.sizes(vectorStructs.multiply, this.#places(x.index, y.index));
    if (xs === ys) this.#dispatch("multiplyWithin", [ys, sizes], this.#everywhere);
    else this.#dispatch("multiplyApart", [ys, xs, sizes], this.#everywhere);
  }

  invertRoots(x: At, scale: number, epsilon: number): void {
    const buffer = this.#bufferOf(alone(x));
    this.reserve(1);
    const sizes = this.#recorder.sizes(vectorStructs.invertRoots, { ...this.#places(0, x.index), scale, epsilon });
    this.#dispatch("invertRoots", [buffer, sizes], this.#everywhere);
    this.#clearPadding(x);
  }

  set(first: number, values: ArrayLike<number> | readonly ArrayLike<number>[]): void {
    this.#mustLive("set");
    const lists = perReplica(values, this.replicas);
    const count = lists[0]!.length;
    checkScalars(this, first, count);
    if (count === 0) return;
    this.reserve(0, count * this.replicas);
    // Scalar by scalar, and replica by replica within each.
    const from = this.#recorder.upload(
      Array.from(
        { length: count * this.replicas },
        (_, i) => lists[i % this.replicas]![Math.floor(i / this.replicas)]!,
      ),
    );
    const { uploads } = this.#held;
    const bytes = 4 * count * this.replicas;
    this.#recorder.between((encoder) => {
      encoder.copyBufferToBuffer(uploads, 4 * from, this.scalarBuffer, 4 * first * this.replicas, bytes);
    });
  }

  async scalars(first: number, count: number): Promise<readonly Float64Array[]> {
    this.#mustLive("scalars");
    checkScalars(this, first, count);
    this.leave();
    const [offset, bytes] = [4 * first * this.replicas, 4 * count * this.replicas];
    const commands = this.#recorder.take();
    const source = this.scalarBuffer;
    const reading =
      count <= pooledScalars
        ? this.#pool.submit(
            (encoder, into) => {
              commands(encoder);
              if (bytes > 0) encoder.copyBufferToBuffer(source, offset, into, 0, bytes);
            },
            (all) => all.slice(0, bytes),
          )
        : readParts(this.#optimizer.device, [{ buffer: source, offset, bytes }], commands).then(([all]) => all!);
    const floats = new Float32Array(await this.#recorder.proven(reading));
    return Array.from({ length: this.replicas }, (_, r) =>
      Float64Array.from({ length: count }, (_, i) => floats[i * this.replicas + r]!),
    );
  }

  async submit(): Promise<void> {
    await this.scalars(0, 0);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#recorder.clear();
    for (const buffer of [...this.#blocks.values(), ...(Object.values(this.#held) as GPUBuffer[])]) buffer.destroy();
    this.#partials?.destroy();
    this.#blocks.clear();
    this.#pool.destroy();
  }

  /** Makes room for this many dispatches, and the numbers that go with them, in one submission. */
  reserve(dispatches: number, uploads = 0): void {
    // What `leave` records comes behind them.
    if (!this.#recorder.fits(dispatches, uploads)) this.flush();
  }

  /** Records commands in a compute pass, which may leave it with any pipeline and bindings. */
  record(pass: (pass: GPUComputePassEncoder) => void): void {
    this.#mustLive("an operation");
    this.#recorder.pass(pass);
  }

  /** scalars[into] := a float32 in a buffer, requested when the recorded operations are submitted; in a space of one replica. */
  recordScalar(from: () => GPUBufferBinding, into: number): void {
    this.#mustLive("an operation");
    this.#recorder.between((encoder) => {
      const { buffer, offset = 0 } = from();
      encoder.copyBufferToBuffer(buffer, offset, this.scalarBuffer, 4 * into, 4);
    });
  }

  /** Records a dispatch with its sizes, whose buffer is bound last. */
  recordKernel<F extends Struct>(
    kernel: Kernel,
    buffers: readonly (GPUBuffer | GPUBufferBinding)[],
    sizes: F,
    values: Partial<Values<F["fields"]>>,
    workgroups: readonly [number, number, number?],
  ): void {
    this.#mustLive("an operation");
    this.#recorder.dispatch(kernel, [...buffers, this.#recorder.sizes(sizes, values)], workgroups);
  }

  /** Submits the recorded operations, without reading anything. */
  flush(): void {
    if (this.#recorder.isEmpty) return;
    this.leave();
    this.#recorder.submit();
  }

  /** Sums over `count` vectors: chunk by chunk, then of all chunks. */
  #sum(
    what: "dots" | "norm" | "extent",
    vectors: readonly GPUBuffer[],
    [x, y]: readonly [x: number, y: number],
    count: number,
    into: number,
  ): void {
    this.reserve(2);
    const { replicas } = this;
    const partials = this.#partials!;
    const sizes = this.#recorder.sizes(vectorStructs.dots, { ...this.#places(x, y), count, chunks: this.#chunks });
    this.#dispatch(what, [partials, ...vectors, sizes], this.#everywhere);
    const results = this.#recorder.sizes(vectorStructs.conclude, {
      count,
      partials: this.#partialCount,
      into,
      replicas,
    });
    this.#dispatch(`${what}Conclude`, [partials, this.scalarBuffer, results], [count, 1, replicas]);
  }

  #dispatch(
    name: VectorKernel,
    buffers: readonly (GPUBuffer | GPUBufferBinding)[],
    workgroups: readonly [number, number, number?],
  ): void {
    this.#recorder.dispatch(this.#kernels[name], buffers, workgroups);
  }

  #places(x: number, y: number) {
    return { x, y, replicas: this.replicas, stride: this.#layout.stride / 4, chunkLength: chunkQuads };
  }

  get #chunks(): number {
    return Math.ceil(this.#layout.stride / chunkLength);
  }

  /** Partial sums of one dot product in one replica. */
  get #partialCount(): number {
    return this.#chunks * (this.#shape.barriers ? 1 : this.#shape.workgroupSize);
  }

  get #everywhere(): readonly [number, number, number] {
    return [...grid(this.#optimizer.device, this.#chunks), this.replicas];
  }

  #bufferOf(x: Span): GPUBuffer {
    this.#mustLive("an operation");
    const buffer = this.#blocks.get(x.block);
    if (!buffer) throw new OptionError("a vector is of a block that this space did not create or has freed");
    checkSpan(x);
    return buffer;
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call} was called on destroyed vectors`);
    if (this.#optimizer.destroyed) throw new DeviceError(`${call} was called on vectors of a destroyed optimizer`);
    const { info } = deviceLoss(this.#optimizer.device);
    if (info) throw new DeviceError(`${call} was called on vectors after ${lossText(info)}`);
  }
}
