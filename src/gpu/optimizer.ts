// The WebGPU optimizer: every tensor of every group in one dispatch, with the norm of the gradient before it where it is
// needed. After creation, a step allocates nothing and asks the host for nothing but a stretch of table rows now and then.
import {
  arenaLength,
  chunkTable,
  chunkWords,
  layoutSegments,
  matchSegments,
  packArena,
  type Segment,
  type Tensor,
  unpackArena,
} from "../arena.ts";
import { assembleUpdate, finalizeSource, gradNormSource, snakeCase } from "../assemble.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../checkpoint.ts";
import { DeviceError, OptionError, show } from "../errors.ts";
import type { Optimizer, Role, Stats, TensorValues } from "../optimizer.ts";
import { createPlan, hyperAt, needsNorm, type Plan, planConfig, setHypers } from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import type { Scheduled } from "../schedule.ts";
import { tableColumns, tableHeaderWords, tableRows } from "../table.ts";
import { controlBytes, decodeControl, encodeControl } from "./control.ts";
import { grid, requireBuffer, requireLimit, streamShape } from "./device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "./kernel.ts";
import { readBuffer } from "./readback.ts";

/** An optimizer on the GPU, whose arenas are buffers of the caller's device. */
export interface GpuOptimizer extends Optimizer {
  readonly backend: "webgpu";
  readonly device: GPUDevice;
  /** The arena of the parameters (STORAGE | COPY_SRC | COPY_DST). */
  readonly params: GPUBuffer;
  /** The arena of the gradients: write them here, with a kernel of your own or `write("gradients", …)`. */
  readonly gradients: GPUBuffer;
  /** The control buffer: step, skips, norm; {@link GpuOptimizer.noteControl} reads a copy of it. */
  readonly control: GPUBuffer;
  /**
   * Encodes one update: 1 dispatch, or 3 with clipping or skipping. Opens a pass of its own in a command encoder, or
   * uses an open compute pass. Submits nothing, reads nothing back, and creates nothing. At most half a table window
   * (2,048 steps with few groups) may be encoded before the first of them is submitted.
   *
   * @throws DeviceError after `destroy` or device loss; OptionError when a hyper's schedule leaves its range here.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /** One tensor's part of an arena, ready for a bind group. */
  binding(role: "params" | "gradients", name: string): GPUBufferBinding;
  /** Reads a copy of the control buffer that the caller made, and learns from it how many steps were skipped. */
  noteControl(bytes: ArrayBuffer, offset?: number): Stats;
}

/**
 * Creates an optimizer on `device` over its own arenas for `tensors`.
 *
 * @throws OptionError for bad tensors or a bad config; DeviceError when the device's limits or memory do not suffice or
 * the rule's WGSL does not compile. Nothing is left behind then.
 */
export async function createOptimizer(
  device: GPUDevice,
  tensors: readonly Tensor[],
  config: OptimizerConfig,
): Promise<GpuOptimizer> {
  const segments = layoutSegments(tensors);
  const plan = createPlan(config, segments);
  const bytes = arenaLength(segments) * 4;
  requireLimit(device, "maxStorageBuffersPerShaderStage", 6, `rule "${plan.rule.name}"`);
  requireBuffer(device, bytes, `an arena of ${arenaLength(segments)} parameters`);
  if (plan.slots.length > 0) {
    requireBuffer(
      device,
      bytes * plan.slots.length,
      `the state of rule "${plan.rule.name}" (${plan.slots.join(", ")})`,
    );
  }
  const { workgroupSize, barriers } = streamShape(device);
  const chunks = chunkTable(segments, plan.groupOf);
  const chunkCount = chunks.length / chunkWords;
  const flags = Object.entries(plan.flags).map(([flag, value]) => [snakeCase(flag), Number(value)]);
  const common = { workgroup_size: workgroupSize, chunk_count: chunkCount, barriers: Number(barriers) };
  const partialCount = barriers ? chunkCount : chunkCount * workgroupSize;
  const normKernels = async () =>
    Promise.all([
      compileKernel(device, gradNormSource, ["read", "read", "write"], common),
      compileKernel(device, finalizeSource, ["read", "write"], {
        partial_count: partialCount,
        clip: Number(plan.maxNorm !== undefined),
        skip_non_finite: Number(plan.skipNonFinite),
      }),
    ]);
  const [updateKernel, norm] = await Promise.all([
    compileKernel(device, assembleUpdate(plan), ["write", "read", "write", "read", "read", "write"], {
      ...common,
      group_count: plan.groups.length,
      slot_stride: bytes / 16,
      ...Object.fromEntries(flags),
    }),
    needsNorm(plan) ? normKernels() : undefined,
  ]);

  const created: GPUBuffer[] = [];
  const buffer = (label: string, size: number, contents?: ArrayBuffer) => {
    const made = device.createBuffer({
      label: `fallline ${label}`,
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      mappedAtCreation: contents !== undefined,
    });
    created.push(made);
    if (contents) {
      new Uint8Array(made.getMappedRange()).set(new Uint8Array(contents));
      made.unmap();
    }
    return made;
  };
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const window = windowSteps(plan);
  const buffers = {
    params: buffer("params", bytes, packArena(segments, tensors).buffer),
    gradients: buffer("gradients", bytes),
    state: buffer("state", Math.max(16, bytes * plan.slots.length)),
    chunks: buffer("chunks", chunks.byteLength, chunks.buffer),
    table: buffer("table", tableHeaderWords * 4 + window * rowBytes(plan)),
    control: buffer("control", controlBytes, encodeControl(0, 0, plan.maxNorm)),
  };
  const { params, gradients, state, table, control } = buffers;
  const dispatches: Dispatch[] = [];
  if (norm) {
    const [gradNorm, finalize] = norm;
    const partials = buffer("partials", partialCount * partialBytes);
    dispatches.push(
      {
        pipeline: gradNorm.pipeline,
        bindGroup: gradNorm.bind([gradients, buffers.chunks, partials]),
        workgroups: grid(device, chunkCount),
      },
      { pipeline: finalize.pipeline, bindGroup: finalize.bind([partials, control]), workgroups: [1, 1] },
    );
  }
  dispatches.push({
    pipeline: updateKernel.pipeline,
    bindGroup: updateKernel.bind([params, gradients, state, buffers.chunks, table, control]),
    workgroups: grid(device, chunkCount),
  });
  const failure = (await Promise.all([device.popErrorScope(), device.popErrorScope()])).find((error) => error !== null);
  if (failure) {
    for (const made of created) made.destroy();
    throw new DeviceError(`the device could not hold ${arenaLength(segments)} parameters: ${failure.message}`);
  }
  return new ArenaOptimizer(device, segments, plan, { params, gradients, state, table, control }, created, dispatches);
}

/** Bytes of a Partial (shaders/partial.wgsl). */
const partialBytes = 12;

/** Bytes of one step's rows. */
function rowBytes(plan: Plan): number {
  return tableColumns(plan).length * plan.groups.length * 4;
}

/** Steps that the table holds: 4,096, or fewer where many groups would make it larger than 1 MiB. */
function windowSteps(plan: Plan): number {
  return 2 * Math.min(2048, Math.max(32, Math.floor(2 ** 19 / rowBytes(plan))));
}

interface Buffers {
  readonly params: GPUBuffer;
  readonly gradients: GPUBuffer;
  readonly state: GPUBuffer;
  readonly table: GPUBuffer;
  readonly control: GPUBuffer;
}

class ArenaOptimizer implements GpuOptimizer {
  readonly backend = "webgpu";
  readonly device: GPUDevice;
  readonly segments: readonly Segment[];
  readonly #plan: Plan;
  readonly #buffers: Buffers;
  readonly #created: readonly GPUBuffer[];
  readonly #dispatches: readonly Dispatch[];
  readonly #table: TableWindow;
  #lost: GPUDeviceLostInfo | undefined;
  #destroyed = false;
  /** The step that the next update makes, unless updates were skipped that we have not heard of. */
  #next = 0;
  #skipsHeardOf = 0;

  constructor(
    device: GPUDevice,
    segments: readonly Segment[],
    plan: Plan,
    buffers: Buffers,
    created: readonly GPUBuffer[],
    dispatches: readonly Dispatch[],
  ) {
    this.device = device;
    this.segments = segments;
    this.#plan = plan;
    this.#buffers = buffers;
    this.#created = created;
    this.#dispatches = dispatches;
    this.#table = new TableWindow(device.queue, buffers.table, plan);
    device.lost.then((info) => {
      this.#lost = info;
    });
  }

  get params(): GPUBuffer {
    return this.#buffers.params;
  }

  get gradients(): GPUBuffer {
    return this.#buffers.gradients;
  }

  get control(): GPUBuffer {
    return this.#buffers.control;
  }

  get config(): OptimizerConfig {
    return planConfig(this.#plan);
  }

  get slots(): readonly string[] {
    return this.#plan.slots;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.#mustLive("encode");
    this.#table.provide(this.#next);
    this.#next++;
    if ("dispatchWorkgroups" in target) {
      encodeDispatches(target, this.#dispatches);
      return;
    }
    const pass = target.beginComputePass({ label: "fallline update" });
    encodeDispatches(pass, this.#dispatches);
    pass.end();
  }

  step(): void {
    this.#mustLive("step");
    const encoder = this.device.createCommandEncoder({ label: "fallline step" });
    this.encode(encoder);
    this.device.queue.submit([encoder.finish()]);
  }

  zeroGrad(): void {
    this.#mustLive("zeroGrad");
    const encoder = this.device.createCommandEncoder({ label: "fallline zeroGrad" });
    encoder.clearBuffer(this.gradients);
    this.device.queue.submit([encoder.finish()]);
  }

  set(hypers: Readonly<Record<string, Scheduled>>, group?: number): void {
    this.#mustLive("set");
    setHypers(this.#plan, hypers, group);
    this.#table.expire(this.#next);
  }

  hyper(name: string, step: number, group = 0): number {
    return hyperAt(this.#plan, group, name, step);
  }

  binding(role: "params" | "gradients", name: string): GPUBufferBinding {
    const segment = this.segments.find((candidate) => candidate.name === name);
    if (!segment) {
      throw new OptionError(
        `binding names "${name}", which is not a tensor; the tensors are ${this.segments.map((s) => s.name).join(", ")}`,
      );
    }
    // Up to the next multiple of 16 bytes, so that kernels may read vec4s; the padding is zero.
    const size = Math.ceil(segment.length / 4) * 16;
    return { buffer: role === "params" ? this.params : this.gradients, offset: segment.offset * 4, size };
  }

  async read(role: Role = "params"): Promise<TensorValues> {
    this.#mustLive("read");
    return unpackArena(this.segments, await this.#readArena(role));
  }

  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>): void {
    this.#mustLive("write");
    const { buffer, offset } = this.#place(role);
    for (const { segment, data } of matchSegments(role, this.segments, values)) {
      this.device.queue.writeBuffer(buffer, offset + segment.offset * 4, Float32Array.from(data));
    }
  }

  async stats(): Promise<Stats> {
    this.#mustLive("stats");
    return this.noteControl(await readBuffer(this.device, this.control, 0, controlBytes));
  }

  noteControl(bytes: ArrayBuffer, offset = 0): Stats {
    const stats = decodeControl(bytes, offset);
    if (stats.skipped > this.#skipsHeardOf) {
      this.#next -= stats.skipped - this.#skipsHeardOf;
      this.#skipsHeardOf = stats.skipped;
    }
    return stats;
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    this.#mustLive("save");
    const roles = ["params", ...this.slots];
    const [stats, ...arenas] = await Promise.all([this.stats(), ...roles.map((role) => this.#readArena(role))]);
    return encodeCheckpoint(this.#plan, this.segments, {
      step: stats.step,
      skipped: stats.skipped,
      arenas: new Map(roles.map((role, index) => [role, arenas[index]!])),
    });
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#mustLive("load");
    const { step, skipped, arenas } = decodeCheckpoint(this.#plan, this.segments, bytes);
    for (const [role, arena] of arenas) {
      const { buffer, offset } = this.#place(role);
      this.device.queue.writeBuffer(buffer, offset, arena);
    }
    this.device.queue.writeBuffer(this.control, 0, encodeControl(step, skipped, this.#plan.maxNorm));
    this.#next = step;
    this.#skipsHeardOf = skipped;
    this.#table.expire(0);
  }

  destroy(): void {
    this.#destroyed = true;
    for (const buffer of this.#created) buffer.destroy();
  }

  #readArena(role: Role): Promise<Float32Array<ArrayBuffer>> {
    const { buffer, offset } = this.#place(role);
    return readBuffer(this.device, buffer, offset, arenaLength(this.segments) * 4).then(
      (bytes) => new Float32Array(bytes),
    );
  }

  #place(role: Role): { buffer: GPUBuffer; offset: number } {
    if (role === "params") return { buffer: this.params, offset: 0 };
    if (role === "gradients") return { buffer: this.gradients, offset: 0 };
    const slot = this.slots.indexOf(role);
    if (slot < 0) {
      const known = ["params", "gradients", ...this.slots].join(", ");
      throw new OptionError(`role is ${show(role)}; it must be one of ${known}`);
    }
    return { buffer: this.#buffers.state, offset: slot * arenaLength(this.segments) * 4 };
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on an optimizer that is destroyed`);
    if (this.#lost) {
      throw new DeviceError(
        `${call}() was called after the GPU device was lost (${this.#lost.reason}: ${this.#lost.message}); make an optimizer on a new device and load a checkpoint`,
      );
    }
  }
}

/**
 * The rows on the GPU: steps `first` to `filled`, at most a window of them. Stretches grow as long as nothing is set, so
 * that setting a hyper at every step stays cheap and a fixed schedule needs a refill every 2,048 steps. Half a window
 * of history is kept for steps that are encoded but not submitted, and for steps delayed by skips.
 */
class TableWindow {
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #plan: Plan;
  readonly #window: number;
  #first = 0;
  #filled = 0;
  #stretch = 32;

  constructor(queue: GPUQueue, buffer: GPUBuffer, plan: Plan) {
    this.#queue = queue;
    this.#buffer = buffer;
    this.#plan = plan;
    this.#window = windowSteps(plan);
  }

  /** Rows from `step` on must be computed anew. */
  expire(step: number): void {
    this.#filled = Math.min(this.#filled, step);
    this.#first = Math.min(this.#first, step);
    this.#stretch = 32;
  }

  /** Makes sure that the row of `step` is there when the next submission runs. */
  provide(step: number): void {
    if (step < this.#filled) return;
    const half = this.#window / 2;
    const to = step + Math.min(this.#stretch, half);
    const moves = to > this.#first + this.#window || step > this.#first + this.#window;
    const first = moves ? Math.max(0, step - half) : this.#first;
    const from = moves ? first : this.#filled;
    const { rows, end, error } = tableRows(this.#plan, from, to);
    if (end <= step) throw error;
    const offset = tableHeaderWords * 4 + (from - first) * rowBytes(this.#plan);
    this.#queue.writeBuffer(this.#buffer, offset, rows);
    this.#queue.writeBuffer(this.#buffer, 0, Uint32Array.of(first, end - first));
    this.#first = first;
    this.#filled = end;
    this.#stretch = Math.min(2 * this.#stretch, half);
  }
}
