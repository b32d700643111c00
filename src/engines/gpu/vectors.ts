// Vectors over an optimizer's parameters on the GPU, all replicas at once, in buffers of their own. An operation is recorded as
// one dispatch, or two for sums, however many tensors there are; recorded operations go to the device as one submission, together
// with the reads. cpu/vectors.ts is the reference.
import combine from "../../../shaders/vectors/combine.wgsl?raw";
import conclude from "../../../shaders/vectors/conclude.wgsl?raw";
import dotResult from "../../../shaders/vectors/dot_result.wgsl?raw";
import dots from "../../../shaders/vectors/dots.wgsl?raw";
import extent from "../../../shaders/vectors/extent.wgsl?raw";
import invertRoots from "../../../shaders/vectors/invert_roots.wgsl?raw";
import load from "../../../shaders/vectors/load.wgsl?raw";
import multiply from "../../../shaders/vectors/multiply.wgsl?raw";
import norm from "../../../shaders/vectors/norm.wgsl?raw";
import store from "../../../shaders/vectors/store.wgsl?raw";
import sumChunks from "../../../shaders/vectors/sum_chunks.wgsl?raw";
import xApart from "../../../shaders/vectors/x_apart.wgsl?raw";
import xWithin from "../../../shaders/vectors/x_within.wgsl?raw";
import { assemble, type Snippet } from "../../base/assemble.ts";
import { DeviceError, type FalllineError, OptionError } from "../../base/errors.ts";
import { defineStruct, type Struct, type Values } from "../../base/struct.ts";
import { chunkLength, type Segment, segmentAlignment } from "../../optimizer/arena.ts";
import type { Location } from "../../optimizer/locations.ts";
import { type Optimizer, type Role, readOptimizer } from "../../optimizer/optimizer.ts";
import { insideOf } from "../../optimizer/shell.ts";
import { bindingsSnippet, structsSnippet } from "../stages/generate.ts";
import {
  file,
  fileSumSnippet,
  joinSnippet,
  plainSumSnippet,
  totalSnippet,
  workgroupSnippet,
} from "../stages/snippets.ts";
import type { Binding } from "../stages/stage.ts";
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
import { allocate, failureOf, type Trouble, watched } from "./allocate.ts";
import { deviceLoss, grid, lossText } from "./device.ts";
import { compileKernel, encodeDispatches, type Kernel } from "./kernel.ts";
import { type StreamShape, streamShape } from "./kernel_shapes.ts";
import type { GpuOptimizer } from "./optimizer.ts";
import { ReadbackPool, readParts } from "./readback.ts";

/** Four elements are processed at once. */
const chunkQuads = chunkLength / 4;

/** Bindings start at multiples of it on every device; so do the sizes of each dispatch. */
const bindingAlignment = 256;

/** Dispatches recorded before they are submitted without a request, besides those that an optimizer in many runs needs at once. */
const mostRecorded = 1024;

/** Scalars that come back through pooled buffers; for more at once a buffer is made. */
const pooledScalars = 64;

/** The bits of a NaN, which no kernel can write as a constant. */
const nan = 0x7fc0_0000;

const blockFields = { x: "u32", y: "u32", replicas: "u32", stride: "u32", chunkLength: "u32" } as const;

/** The settings of each kernel; places and strides count quads of elements in `dots` to `invertRoots`, in others elements. */
const structs = {
  dots: defineStruct("Sizes", { ...blockFields, count: "u32", chunks: "u32" }),
  conclude: defineStruct("Sizes", { count: "u32", partials: "u32", into: "u32", replicas: "u32" }),
  combine: defineStruct("Sizes", {
    ...{ ...blockFields, count: "u32" },
    // the first coefficient; the strides to the next one and to the next replica's
    factor: "u32",
    factorStep: "u32",
    factorReplica: "u32",
    keep: "f32",
    times: "f32",
  }),
  multiply: defineStruct("Sizes", blockFields),
  invertRoots: defineStruct("Sizes", { ...blockFields, scale: "f32", epsilon: "f32" }),
  move: defineStruct("Sizes", {
    // the vector, the start of the run in it, and its elements
    vector: "u32",
    first: "u32",
    length: "u32",
    replicas: "u32",
    stride: "u32",
    chunkLength: "u32",
    // in the optimizer's array; the stride between replicas
    held: "u32",
    heldStride: "u32",
    // words of the control buffer
    isGradient: "u32",
    controlStride: "u32",
    skip: "u32",
    lossScale: "u32",
    nan: "u32",
  }),
} as const;

const array = (name: string, use: Binding["use"], type = "vec4f"): Binding => ({ name, use, type: `array<${type}>` });
// Uniform: barriers follow, and some compilers refuse barriers that depend on values from storage.
const settings: Binding = { name: "sizes", use: "uniform", type: "Sizes" };
const [x, y] = [array("x", "read"), array("y", "write")];

/** The kernel that adds up the sums of chunks and stores their results. */
const concluding = (...results: readonly Snippet[]) => ({
  structs: [structs.conclude],
  bindings: [array("partials", "read", "Sum"), array("scalars", "write", "f32"), settings],
  snippets: [...results, joinSnippet, totalSnippet, file("vectors/conclude", conclude)],
});

/** The kernel before it, for a sum over the elements of one vector. */
const measuring = (sum: Snippet) => ({
  structs: [structs.dots],
  bindings: [array("partials", "write", "Sum"), x, settings],
  snippets: [sum, joinSnippet, fileSumSnippet, file("vectors/sum_chunks", sumChunks)],
});

const [normSnippet, extentSnippet] = [file("vectors/norm", norm), file("vectors/extent", extent)];

/** The kernels, by name: their struct, bindings and files. */
const kernels = {
  dots: {
    structs: [structs.dots],
    bindings: [array("partials", "write", "f32"), x, array("y", "read"), settings],
    snippets: [joinSnippet, file("vectors/dots", dots)],
  },
  dotsConclude: concluding(plainSumSnippet, file("vectors/dot_result", dotResult)),
  norm: measuring(normSnippet),
  normConclude: concluding(normSnippet),
  extent: measuring(extentSnippet),
  extentConclude: concluding(extentSnippet),
  combineApart: {
    structs: [structs.combine],
    bindings: [y, array("factors", "read", "f32"), x, settings],
    snippets: [file("vectors/x_apart", xApart), file("vectors/combine", combine)],
  },
  combineWithin: {
    structs: [structs.combine],
    bindings: [y, array("factors", "read", "f32"), settings],
    snippets: [file("vectors/x_within", xWithin), file("vectors/combine", combine)],
  },
  multiplyApart: {
    structs: [structs.multiply],
    bindings: [y, x, settings],
    snippets: [file("vectors/x_apart", xApart), file("vectors/multiply", multiply)],
  },
  multiplyWithin: {
    structs: [structs.multiply],
    bindings: [y, settings],
    snippets: [file("vectors/x_within", xWithin), file("vectors/multiply", multiply)],
  },
  invertRoots: {
    structs: [structs.invertRoots],
    bindings: [y, settings],
    snippets: [file("vectors/invert_roots", invertRoots)],
  },
  load: {
    structs: [structs.move],
    bindings: [
      array("vectors", "write", "f32"),
      array("held", "read", "f32"),
      array("control", "read", "u32"),
      settings,
    ],
    snippets: [file("vectors/load", load)],
  },
  store: {
    structs: [structs.move],
    bindings: [array("vectors", "read", "f32"), array("held", "write", "f32"), settings],
    snippets: [file("vectors/store", store)],
  },
} as const satisfies Record<
  string,
  { structs: readonly Struct[]; bindings: readonly Binding[]; snippets: readonly Snippet[] }
>;

type KernelName = keyof typeof kernels;

/** The sources of all kernels, by name. */
export const vectorSources = Object.fromEntries(
  Object.entries(kernels).map(([name, { structs: of, bindings, snippets }]) => [
    name,
    assemble(`vectors: ${name}`, [structsSnippet(...of), bindingsSnippet(bindings), workgroupSnippet, ...snippets]),
  ]),
) as Readonly<Record<KernelName, ReturnType<typeof assemble>>>;

/** Tensors as they lie in a vector: in the arena's order, padding included, so that neighbours there stay neighbours. */
export interface VectorLayout {
  /** By the segment's place in the list, in elements. */
  readonly places: readonly number[];
  /** Elements of one vector, a multiple of 64. */
  readonly stride: number;
}

/** A stretch of consecutive elements, both in a vector and in the optimizer's array. */
interface Run {
  /** The place of its first tensor. */
  readonly range: Location;
  readonly first: number;
  length: number;
}

const padded = (length: number) => Math.ceil(length / segmentAlignment) * segmentAlignment;

export function layoutVectors(segments: readonly Segment[]): VectorLayout {
  const buffers = [...new Set(segments.map(({ external }) => external?.params.buffer))];
  const rank = ({ external }: Segment) => (external ? 1 + buffers.indexOf(external.params.buffer) : 0);
  const begin = ({ external, offset }: Segment) => (external ? external.params.offset / 4 : offset);
  const order = segments
    .map((segment, index) => ({ segment, index }))
    .sort(
      ({ segment: a }, { segment: b }) =>
        rank(a) - rank(b) || (rank(a) === 0 ? a.page - b.page : 0) || begin(a) - begin(b),
    );
  const places: number[] = [];
  let end = 0;
  order.forEach(({ segment, index }, i) => {
    const before = order[i - 1]?.segment;
    places[index] = before && follows(before, segment) ? end : padded(end);
    end = places[index] + segment.length;
  });
  return { places, stride: padded(end) };
}

/** Whether a tensor starts where another one ends, in external buffers. */
function follows({ external: before, length }: Segment, { external: after }: Segment): boolean {
  if (!before || !after) return false;
  return (["params", "gradients"] as const).every((role) => {
    const [one, next] = [before[role], after[role]];
    return one.buffer === next.buffer && (one.offset ?? 0) + 4 * length === (next.offset ?? 0);
  });
}

/** The runs of a layout in the arrays of some ranges, one for each segment. */
function runsOf({ places }: VectorLayout, ranges: readonly Location[]): readonly Run[] {
  const runs: Run[] = [];
  const order = ranges.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
  for (const i of order) {
    const [range, first] = [ranges[i]!, places[i]!];
    const last = runs.at(-1);
    if (last && joins(last, range, first)) last.length = first - last.first + range.length;
    else runs.push({ range, first, length: range.length });
  }
  return runs;
}

/** Whether a tensor's elements, with no more than padding before them, continue a run. */
function joins({ range, first, length }: Run, next: Location, place: number): boolean {
  if (range.external !== next.external || next.offset - range.offset !== place - first) return false;
  if (range.external) return place === first + length;
  return range.home.kind === next.home.kind && range.home.index === next.home.index;
}

/** A recorded operation: in a compute pass, or between passes. */
type Command =
  | { readonly pass: (pass: GPUComputePassEncoder) => void }
  | { readonly between: (encoder: GPUCommandEncoder) => void };

/** A vector in a buffer of some layout. */
export interface PlacedVector {
  readonly buffer: GPUBuffer;
  readonly layout: VectorLayout;
  readonly index: number;
  readonly firstReplica: number;
  readonly replicas: number;
}

interface Held {
  readonly settings: GPUBuffer;
  readonly uploads: GPUBuffer;
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
  const { locate } = insideOf(optimizer);
  return Math.max(...(["params", "gradients"] as const).map((role) => runsOf(layout, locate(role)).length));
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
  readonly #kernels: Readonly<Record<KernelName, Kernel>>;
  readonly #shape: StreamShape;
  readonly #held: Held;
  readonly #pool: ReadbackPool;
  readonly #blocks = new Map<Block, GPUBuffer>();
  #partials: GPUBuffer | undefined;
  #partialVectors = 0;
  #commands: Command[] = [];
  readonly #slots: number;
  readonly #settings: Uint8Array<ArrayBuffer>;
  #settingCount = 0;
  readonly #uploads: Float32Array<ArrayBuffer>;
  #uploadCount = 0;
  /** The device's errors about submissions that nothing was read from. */
  #troubles: Promise<FalllineError | undefined>[] = [];
  #destroyed = false;

  static async open(optimizer: GpuOptimizer, plan: VectorPlan): Promise<GpuVectors> {
    const { device } = optimizer;
    const shape = streamShape(device);
    const { workgroupSize, barriers } = shape;
    const compiled = await Promise.all(
      Object.entries(kernels).map(async ([name, { bindings }]) => {
        const lanes = /conclude$/i.test(name) && !barriers ? 1 : workgroupSize;
        const source = vectorSources[name as KernelName];
        const uses = bindings.map(({ use }) => use);
        const constants = { workgroup_size: lanes, barriers: Number(barriers) };
        return [name, await compileKernel(device, source, uses, constants)] as const;
      }),
    );
    const floats = plan.scalarCount * plan.replicas;
    const uploads = Math.max(4096, floats);
    const slots = mostRecorded + 16 * runCount(optimizer);
    const { made, buffers } = await allocate(device, `${floats} scalars`, (create) => ({
      settings: create("vector sizes", slots * bindingAlignment, undefined, "uniform"),
      uploads: create("vector uploads", 4 * uploads),
      scalars: create("scalars", 4 * floats),
    }));
    if (optimizer.destroyed) {
      for (const buffer of buffers) buffer.destroy();
      throw new DeviceError("vectors were requested from a destroyed optimizer");
    }
    const byName = Object.fromEntries(compiled) as Record<KernelName, Kernel>;
    return new GpuVectors(optimizer, plan, byName, shape, made, slots, uploads);
  }

  private constructor(
    optimizer: GpuOptimizer,
    plan: VectorPlan,
    compiled: Readonly<Record<KernelName, Kernel>>,
    shape: StreamShape,
    held: Held,
    slots: number,
    uploads: number,
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
    this.#settings = new Uint8Array(slots * bindingAlignment);
    this.#slots = slots;
    this.#uploads = new Float32Array(uploads);
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
    const runs = runsOf(layout, ranges);
    this.reserve(runs.length);
    for (const { range, first, length } of runs) {
      const held = this.#optimizer.binding(role, range.segment.name, where);
      const behind = held.offset % bindingAlignment;
      const bound = {
        buffer: held.buffer,
        offset: held.offset - behind,
        size: behind + 4 * (length + range.stride * (replicas - 1)),
      };
      const sizes = this.#encode(structs.move, {
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
    const commands = this.#take();
    const [copy] = await this.#proven(
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
    const factor = isSlot ? coefficients * this.replicas : this.#upload(coefficients);
    const sizes = this.#encode(structs.combine, {
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
    const sizes = this.#encode(structs.multiply, this.#places(x.index, y.index));
    if (xs === ys) this.#dispatch("multiplyWithin", [ys, sizes], this.#everywhere);
    else this.#dispatch("multiplyApart", [ys, xs, sizes], this.#everywhere);
  }

  invertRoots(x: At, scale: number, epsilon: number): void {
    const buffer = this.#bufferOf(alone(x));
    this.reserve(1);
    const sizes = this.#encode(structs.invertRoots, { ...this.#places(0, x.index), scale, epsilon });
    this.#dispatch("invertRoots", [buffer, sizes], this.#everywhere);
  }

  set(first: number, values: ArrayLike<number> | readonly ArrayLike<number>[]): void {
    this.#mustLive("set");
    const lists = perReplica(values, this.replicas);
    const count = lists[0]!.length;
    checkScalars(this, first, count);
    if (count === 0) return;
    this.reserve(0, count * this.replicas);
    // Scalar by scalar, and replica by replica within each.
    const from = this.#upload(
      Array.from(
        { length: count * this.replicas },
        (_, i) => lists[i % this.replicas]![Math.floor(i / this.replicas)]!,
      ),
    );
    const { uploads } = this.#held;
    const bytes = 4 * count * this.replicas;
    this.#commands.push({
      between: (encoder) => {
        encoder.copyBufferToBuffer(uploads, 4 * from, this.scalarBuffer, 4 * first * this.replicas, bytes);
      },
    });
  }

  async scalars(first: number, count: number): Promise<readonly Float64Array[]> {
    this.#mustLive("scalars");
    checkScalars(this, first, count);
    this.leave();
    const [offset, bytes] = [4 * first * this.replicas, 4 * count * this.replicas];
    const commands = this.#take();
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
    const floats = new Float32Array(await this.#proven(reading));
    return Array.from({ length: this.replicas }, (_, r) =>
      Float64Array.from({ length: count }, (_, i) => floats[i * this.replicas + r]!),
    );
  }

  async submit(): Promise<void> {
    await this.scalars(0, 0);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#commands = [];
    for (const buffer of [...this.#blocks.values(), ...(Object.values(this.#held) as GPUBuffer[])]) buffer.destroy();
    this.#partials?.destroy();
    this.#blocks.clear();
    this.#pool.destroy();
  }

  /** Makes room for this many dispatches, and the numbers that go with them, in one submission. */
  reserve(dispatches: number, uploads = 0): void {
    // Plus what `leave` records.
    if (this.#settingCount + dispatches > (3 / 4) * this.#slots || this.#uploadCount + uploads > this.#uploads.length) {
      this.flush();
    }
  }

  /** Records commands in a compute pass, which may leave it with any pipeline and bindings. */
  record(pass: (pass: GPUComputePassEncoder) => void): void {
    this.#mustLive("an operation");
    this.#commands.push({ pass });
  }

  /** scalars[into] := a float32 in a buffer, requested when the recorded operations are submitted; in a space of one replica. */
  recordScalar(from: () => GPUBufferBinding, into: number): void {
    this.#mustLive("an operation");
    this.#commands.push({
      between: (encoder) => {
        const { buffer, offset = 0 } = from();
        encoder.copyBufferToBuffer(buffer, offset, this.scalarBuffer, 4 * into, 4);
      },
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
    const bindGroup = kernel.bind([...buffers, this.#encode(sizes, values)]);
    this.record((pass) => encodeDispatches(pass, [{ pipeline: kernel.pipeline, bindGroup, workgroups }]));
  }

  /** Submits the recorded operations, without reading anything. */
  flush(): void {
    if (this.#commands.length === 0) return;
    this.leave();
    const { device } = this.#optimizer;
    const commands = this.#take();
    const { thrown, trouble } = watched(device, () => {
      const encoder = device.createCommandEncoder({ label: "fallline vectors" });
      commands(encoder);
      device.queue.submit([encoder.finish()]);
    });
    const failure = trouble.then((said: Trouble) => failureOf(device, "operations on vectors", said, thrown));
    this.#troubles.push(failure);
  }

  /** Takes the recorded operations, to be encoded before a read. */
  #take(): (encoder: GPUCommandEncoder) => void {
    const { queue } = this.#optimizer.device;
    const commands = this.#commands;
    this.#commands = [];
    const [sizes, uploads] = [
      this.#settings.slice(0, this.#settingCount * bindingAlignment),
      this.#uploads.slice(0, this.#uploadCount),
    ];
    this.#settingCount = 0;
    this.#uploadCount = 0;
    return (encoder) => {
      if (commands.length === 0) return;
      if (sizes.length > 0) queue.writeBuffer(this.#held.settings, 0, sizes);
      if (uploads.length > 0) queue.writeBuffer(this.#held.uploads, 0, uploads);
      let pass: GPUComputePassEncoder | undefined;
      for (const command of commands) {
        if ("pass" in command) {
          pass ??= encoder.beginComputePass({ label: "fallline vectors" });
          command.pass(pass);
        } else {
          pass?.end();
          pass = undefined;
          command.between(encoder);
        }
      }
      pass?.end();
    };
  }

  /** The values read, if everything submitted before has run too. */
  async #proven<T>(reading: Promise<T>): Promise<T> {
    const troubles = this.#troubles;
    this.#troubles = [];
    const found = await reading;
    for (const failure of await Promise.all(troubles)) if (failure) throw failure;
    return found;
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
    const sizes = this.#encode(structs.dots, { ...this.#places(x, y), count, chunks: this.#chunks });
    this.#dispatch(what, [partials, ...vectors, sizes], this.#everywhere);
    const results = this.#encode(structs.conclude, { count, partials: this.#partialCount, into, replicas });
    this.#dispatch(`${what}Conclude`, [partials, this.scalarBuffer, results], [count, 1, replicas]);
  }

  #dispatch(
    name: KernelName,
    buffers: readonly (GPUBuffer | GPUBufferBinding)[],
    workgroups: readonly [number, number, number?],
  ): void {
    const { pipeline, bind } = this.#kernels[name];
    const dispatch = { pipeline, bindGroup: bind(buffers), workgroups };
    this.#commands.push({ pass: (pass) => encodeDispatches(pass, [dispatch]) });
  }

  /** The place of a dispatch's sizes. */
  #encode<F extends Struct>(struct: F, values: Partial<Values<F["fields"]>>): GPUBufferBinding {
    const offset = this.#settingCount * bindingAlignment;
    this.#settings.set(struct.encode([values]), offset);
    this.#settingCount++;
    return { buffer: this.#held.settings, offset, size: Math.ceil(struct.bytes / 16) * 16 };
  }

  /** The place of numbers that go to the device with the recorded operations, in elements. */
  #upload(values: ArrayLike<number>): number {
    const first = this.#uploadCount;
    this.#uploads.set(values, first);
    this.#uploadCount += values.length;
    return first;
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
