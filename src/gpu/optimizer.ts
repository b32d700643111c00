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
import { checkKeys, describePlan, encodeCheckpoint, openCheckpoint } from "../checkpoint.ts";
import { DeviceError, OptionError, show } from "../errors.ts";
import type { Optimizer, Role, Stats, TensorValues } from "../optimizer.ts";
import { createPlan, needsNorm, type Plan, planConfig, readHyperAt, setHypers } from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import type { Scheduled } from "../schedule.ts";
import { tableColumns, tableHeaderWords, tableRows } from "../table.ts";
import { allocate, bytesOf } from "./allocate.ts";
import { controlBytes, decodeControl, encodeControl } from "./control.ts";
import { deviceLoss, grid, requireBuffer, requireLimit, streamShape } from "./device.ts";
import { compileKernel, type Dispatch, encodeDispatches } from "./kernel.ts";
import { ReadbackPool, readBuffer } from "./readback.ts";

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
   * (2,048 steps; 256 and more with hundreds of groups) may be encoded before the first of them is submitted. A caller
   * who never asks for `stats()` should know that steps beyond that many unheard skips take their rates a little late.
   *
   * @throws DeviceError after `destroy` or device loss; OptionError when a hyper's schedule leaves its range at this
   * step, or when more than half a window is encoded into one encoder or pass.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /** One tensor's part of an arena, ready for a bind group; up to 3 elements of zero padding follow the tensor. */
  binding(role: Role, name: string): GPUBufferBinding;
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
  if (typeof device?.createBuffer !== "function") {
    throw new OptionError(`device is ${show(device)}; it must be a GPUDevice, such as requestDevice() gives`);
  }
  const segments = layoutSegments(tensors);
  const plan = createPlan(config, segments);
  checkKeys(plan, segments);
  // Hearing of a loss takes a turn of the event loop.
  deviceLoss(device);
  await undefined;
  mustNotBeLost(device, "createOptimizer was called");
  const bytes = arenaLength(segments) * 4;
  requireLimit(device, "maxStorageBuffersPerShaderStage", 6, `rule "${plan.rule.name}"`);
  requireLimit(device, "maxComputeInvocationsPerWorkgroup", 256, "the norm of the gradient");
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

  const { made, buffers } = await allocate(device, `${arenaLength(segments)} parameters`, (create) => {
    const params = create("params", bytes, bytesOf(packArena(segments, tensors)));
    const gradients = create("gradients", bytes);
    const state = create("state", bytes * plan.slots.length);
    const chunkBuffer = create("chunks", chunks.byteLength, bytesOf(chunks));
    const table = create("table", tableHeaderWords * 4 + windowSteps(plan) * rowBytes(plan));
    const control = create("control", controlBytes, encodeControl({ step: 0, skipped: 0, epoch: 0 }, plan.maxNorm));
    const workgroups = grid(device, chunkCount);
    const dispatches: Dispatch[] = [];
    if (norm) {
      const [gradNorm, finalize] = norm;
      const partials = create("partials", partialCount * partialBytes);
      dispatches.push(
        { pipeline: gradNorm.pipeline, bindGroup: gradNorm.bind([gradients, chunkBuffer, partials]), workgroups },
        { pipeline: finalize.pipeline, bindGroup: finalize.bind([partials, control]), workgroups: [1, 1] },
      );
    }
    dispatches.push({
      pipeline: updateKernel.pipeline,
      bindGroup: updateKernel.bind([params, gradients, state, chunkBuffer, table, control]),
      workgroups,
    });
    return { params, gradients, state, table, control, dispatches };
  });
  return new ArenaOptimizer(device, segments, plan, made, buffers);
}

function mustNotBeLost(device: GPUDevice, what: string): void {
  const { info } = deviceLoss(device);
  if (info) {
    throw new DeviceError(
      `${what} after the GPU device was lost (${info.reason}: ${info.message}); make an optimizer on a new device and load a checkpoint`,
    );
  }
}

/** Bytes of a Partial (shaders/partial.wgsl). */
const partialBytes = 12;

/** Bytes of one step's rows. */
function rowBytes(plan: Plan): number {
  return tableColumns(plan).length * plan.groups.length * 4;
}

/** Steps that the table holds: 4,096, or fewer (but 512) where many groups would make it larger than 1 MiB. */
function windowSteps(plan: Plan): number {
  return 2 * Math.min(2048, Math.max(256, Math.floor(2 ** 19 / rowBytes(plan))));
}

/** Steps before the next one whose rates `set` replaces too, in case that many were encoded and never submitted. */
const setReach = 32;

/** `step()` reads the control buffer back each so many steps, without waiting, to hear of skips. */
const hearingInterval = 64;

interface Made {
  readonly params: GPUBuffer;
  readonly gradients: GPUBuffer;
  readonly state: GPUBuffer;
  readonly table: GPUBuffer;
  readonly control: GPUBuffer;
  readonly dispatches: readonly Dispatch[];
}

class ArenaOptimizer implements GpuOptimizer {
  readonly backend = "webgpu";
  readonly device: GPUDevice;
  readonly segments: readonly Segment[];
  readonly #plan: Plan;
  readonly #made: Made;
  readonly #buffers: readonly GPUBuffer[];
  readonly #table: TableWindow;
  readonly #readback: ReadbackPool;
  /** Encodings per encoder or pass, which tell a caller who never submits. */
  readonly #encodings = new WeakMap<object, number>();
  #destroyed = false;
  /** The step that the next update makes, unless some before it were skipped or never submitted. */
  #next = 0;
  /** The last state of the GPU that we have heard of; it is at least so far by now. */
  #heard = { step: 0, skipped: 0, epoch: 0 };

  constructor(device: GPUDevice, segments: readonly Segment[], plan: Plan, made: Made, buffers: readonly GPUBuffer[]) {
    this.device = device;
    this.segments = segments;
    this.#plan = plan;
    this.#made = made;
    this.#buffers = buffers;
    this.#table = new TableWindow(device.queue, made.table, plan);
    this.#readback = new ReadbackPool(device, controlBytes, "fallline control");
  }

  get params(): GPUBuffer {
    return this.#made.params;
  }

  get gradients(): GPUBuffer {
    return this.#made.gradients;
  }

  get control(): GPUBuffer {
    return this.#made.control;
  }

  get config(): OptimizerConfig {
    return planConfig(this.#plan);
  }

  get slots(): readonly string[] {
    return this.#plan.slots;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.#mustLive("encode");
    const encodings = this.#encodings.get(target) ?? 0;
    const most = windowSteps(this.#plan) / 2;
    if (encodings >= most) {
      throw new OptionError(`encode was called ${encodings + 1} times for one submission; it takes at most ${most}`);
    }
    this.#table.provide(this.#next);
    this.#encodings.set(target, encodings + 1);
    this.#next++;
    if ("dispatchWorkgroups" in target) {
      encodeDispatches(target, this.#made.dispatches);
      return;
    }
    const pass = target.beginComputePass({ label: "fallline update" });
    encodeDispatches(pass, this.#made.dispatches);
    pass.end();
  }

  step(): void {
    this.#mustLive("step");
    const encoder = this.device.createCommandEncoder({ label: "fallline step" });
    this.encode(encoder);
    if (!this.#plan.skipNonFinite || this.#next % hearingInterval !== 0) {
      this.device.queue.submit([encoder.finish()]);
      return;
    }
    const staging = this.#readback.take();
    encoder.copyBufferToBuffer(this.control, 0, staging, 0, controlBytes);
    this.device.queue.submit([encoder.finish()]);
    this.#readback.collect(staging).then(
      (bytes) => this.noteControl(bytes),
      // The device was lost or the optimizer destroyed meanwhile, which the next call says.
      () => {},
    );
  }

  zeroGrad(): void {
    this.#mustLive("zeroGrad");
    const encoder = this.device.createCommandEncoder({ label: "fallline zeroGrad" });
    encoder.clearBuffer(this.gradients);
    this.device.queue.submit([encoder.finish()]);
  }

  set(hypers: Readonly<Record<string, Scheduled>>, group?: number): void {
    this.#mustLive("set");
    setHypers(this.#plan, hypers, group, this.#next);
    // Where steps may have been skipped unheard, the GPU may be anywhere from the step heard of last.
    const reach = this.#plan.skipNonFinite ? windowSteps(this.#plan) / 2 : setReach;
    this.#table.expire(Math.max(this.#heard.step, this.#next - reach));
  }

  hyper(name: string, step: number, group = 0): number {
    return readHyperAt(this.#plan, group, name, step);
  }

  binding(role: Role, name: string): GPUBufferBinding {
    this.#mustLive("binding");
    const { buffer, offset } = this.#place(role);
    const segment = this.segments.find((candidate) => candidate.name === name);
    if (!segment) {
      throw new OptionError(
        `binding names "${name}", which is not a tensor; the tensors are ${this.segments.map((s) => s.name).join(", ")}`,
      );
    }
    // Up to the next multiple of 16 bytes, so that kernels may read vec4s; the padding is zero.
    const size = Math.ceil(segment.length / 4) * 16;
    return { buffer, offset: offset + segment.offset * 4, size };
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
    const { epoch, ...stats } = decodeControl(bytes, offset);
    const { step, skipped } = stats;
    // Copies from before a load, or older than what was heard since, tell nothing new.
    if (epoch === this.#heard.epoch && step + skipped > this.#heard.step + this.#heard.skipped) {
      this.#next = Math.max(step, this.#next - (skipped - this.#heard.skipped));
      this.#heard = { step, skipped, epoch };
      // The window has left the GPU behind, by skips or by encoders that were dropped: back to where it is.
      if (this.#table.fallBack(step)) this.#next = step;
    }
    return stats;
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    this.#mustLive("save");
    const roles = ["params", ...this.slots];
    const description = describePlan(this.#plan);
    const [stats, ...arenas] = await Promise.all([this.stats(), ...roles.map((role) => this.#readArena(role))]);
    return encodeCheckpoint(description, this.segments, {
      step: stats.step,
      skipped: stats.skipped,
      arenas: new Map(roles.map((role, index) => [role, arenas[index]!])),
    });
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#mustLive("load");
    const { step, skipped, arenas } = openCheckpoint(this.#plan, this.segments, bytes);
    for (const [role, arena] of arenas) {
      const { buffer, offset } = this.#place(role);
      this.device.queue.writeBuffer(buffer, offset, arena);
    }
    this.#heard = { step, skipped, epoch: this.#heard.epoch + 1 };
    this.#next = step;
    this.device.queue.writeBuffer(this.control, 0, encodeControl(this.#heard, this.#plan.maxNorm));
    this.#table.restart(step);
  }

  destroy(): void {
    this.#destroyed = true;
    for (const buffer of this.#buffers) buffer.destroy();
    this.#readback.destroy();
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
    return { buffer: this.#made.state, offset: slot * arenaLength(this.segments) * 4 };
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on an optimizer that is destroyed`);
    mustNotBeLost(this.device, `${call}() was called`);
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

  /** Rows from `step` on must be computed anew; those before it stay. */
  expire(step: number): void {
    this.#filled = Math.min(this.#filled, Math.max(step, this.#first));
    this.#stretch = 32;
  }

  /** Nothing before `step` matters any more. */
  restart(step: number): void {
    this.#first = step;
    this.#filled = step;
    this.#stretch = 32;
  }

  /** Moves the window back to a step that it has left behind, and says whether it had. */
  fallBack(step: number): boolean {
    if (step >= this.#first) return false;
    this.restart(step);
    // Steps may be under way beyond this one.
    this.#stretch = this.#window / 2;
    return true;
  }

  /** Makes sure that the row of `step` is there when the next submission runs. */
  provide(step: number): void {
    if (step < this.#filled) return;
    const half = this.#window / 2;
    const to = step + Math.min(this.#stretch, half);
    const moves = to > this.#first + this.#window;
    let first = moves ? Math.max(this.#first, step - half) : this.#first;
    let from = moves ? first : this.#filled;
    let stretch = tableRows(this.#plan, from, to);
    // Hypers set since need not be in range in the past.
    while (stretch.end < step) {
      first = stretch.end + 1;
      from = first;
      stretch = tableRows(this.#plan, from, to);
    }
    const { rows, end, error } = stretch;
    if (end === step) throw error;
    const offset = tableHeaderWords * 4 + (from - first) * rowBytes(this.#plan);
    this.#queue.writeBuffer(this.#buffer, offset, rows);
    this.#queue.writeBuffer(this.#buffer, 0, Uint32Array.of(first, end - first));
    this.#first = first;
    this.#filled = end;
    this.#stretch = Math.min(2 * this.#stretch, half);
  }
}
