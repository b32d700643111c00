// The WebGPU optimizer: every tensor of every group of a rule in one dispatch, with the sums before it where they are
// needed. After creation, a step allocates nothing and asks the host for nothing but a stretch of table rows now and then.
import {
  arenaLength,
  layoutSegments,
  matchSegments,
  packArena,
  paddedLength,
  type Segment,
  type Tensor,
} from "../arena.ts";
import { type Clock, checkKeys, describePlan, encodeCheckpoint, openCheckpoint, type Snapshot } from "../checkpoint.ts";
import { DeviceError, OptionError, show } from "../errors.ts";
import { evaluationValues } from "../evaluation.ts";
import { inMemory, memoryError } from "../host_memory.ts";
import { layoutPart, type PartLayout, scalarValues, slotRange } from "../layout.ts";
import {
  type LayerStats,
  mustStep,
  type Optimizer,
  putValues,
  type Role,
  type Stats,
  type TensorValues,
  underflowMessage,
  unwatchedMessage,
} from "../optimizer.ts";
import {
  createPlan,
  observeMetric,
  type Plan,
  planConfig,
  planSlots,
  readHyperAt,
  readReplica,
  rolesOf,
  setFrozen,
  setHypers,
} from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import type { Scheduled } from "../schedule.ts";
import { allocate, bytesOf } from "./allocate.ts";
import { type ControlRecord, controlBytes, controlOffsets, decodeControl, encodeControl, halted } from "./control.ts";
import { deviceLoss, requireBuffer, requireLimit } from "./device.ts";
import { encodeDispatches } from "./kernel.ts";
import { type CopySource, ReadbackPool, readParts } from "./readback.ts";
import { type StreamShape, streamShape } from "./shapes.ts";
import { type BuiltStages, compileStages, type SharedBuffers, type Stages } from "./stages.ts";
import { TableWindow, tableBytes, windowSteps } from "./window.ts";

/** An optimizer on the GPU, whose arenas are buffers of the caller's device. */
export interface GpuOptimizer extends Optimizer {
  readonly backend: "webgpu";
  readonly device: GPUDevice;
  /** The arena of the parameters (STORAGE | COPY_SRC | COPY_DST), replica after replica. */
  readonly params: GPUBuffer;
  /** The arena of the gradients: write them here, with a kernel of your own or `write("gradients", …)`. */
  readonly gradients: GPUBuffer;
  /** The control buffer: step, skips, norm, loss scale; {@link GpuOptimizer.noteControl} reads a copy of it. */
  readonly control: GPUBuffer;
  /** Bytes of the control buffer. */
  readonly controlBytes: number;
  /**
   * Where in the control buffer, as an `array<f32>`, the scale is that the next loss of a replica is to be multiplied by.
   */
  lossScaleIndex(replica?: number): number;
  /**
   * Encodes one update: 1 dispatch, or more with clipping, skipping and rules that sum (docs/rules.md). Opens a pass of its
   * own in a command encoder, or uses an open compute pass. Submits nothing, reads nothing back, and creates nothing. At
   * most half a table window (2,048 steps; 256 and more with hundreds of groups or replicas) may be encoded before the
   * first of them is submitted. A caller who never asks for `stats()` should know that steps beyond that many unheard
   * skips take their rates a little late. Rules that carry something from step to step (asgd its rate) take a `set` late by
   * the skips unheard then, until `step`, `read` or `stats` hears of them.
   *
   * @throws DeviceError after `destroy` or device loss; OptionError when a hyper's schedule leaves its range at this
   * step, or when more than half a window is encoded into one encoder or pass; DataError when {@link Optimizer.step} does.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /**
   * One tensor's part of an arena, ready for a bind group; up to 3 elements of zero padding follow the tensor. Of a tensor
   * in a buffer of the caller's, its part of that, whose offset need not be one that can be bound.
   */
  binding(role: Role, name: string, replica?: number): GPUBufferBinding & { readonly offset: number };
  /** Where in the control buffer, as an `array<u32>`, the word is that is 2 while a replica is halted. */
  skipIndex(replica?: number): number;
  /** Where in the control buffer, as an `array<u32>`, the number of updates is that a replica has made. */
  stepIndex(replica?: number): number;
  /** Reads a copy of the control buffer that the caller made, and learns from it how many steps were skipped; by replica. */
  noteControl(bytes: ArrayBuffer, offset?: number): readonly Stats[];
}

/**
 * Creates an optimizer on `device` over its own arenas for `tensors`, or over buffers of the caller's.
 *
 * @throws OptionError for bad tensors or a bad config; DeviceError when the device's limits or memory do not suffice or
 * the rule's WGSL does not compile. Nothing is left behind then.
 */
export function createOptimizer(
  device: GPUDevice,
  tensors: readonly Tensor[],
  config: OptimizerConfig,
): Promise<GpuOptimizer> {
  return createShaped(device, tensors, config);
}

/** As {@link createOptimizer}, in a shape of the kernels that need not be the one chosen for the device. */
export async function createShaped(
  device: GPUDevice,
  tensors: readonly Tensor[],
  config: OptimizerConfig,
  shape?: StreamShape,
): Promise<GpuOptimizer> {
  if (typeof device?.createBuffer !== "function") {
    throw new OptionError(`device is ${show(device)}; it must be a GPUDevice, such as requestDevice() gives`);
  }
  const segments = layoutSegments(tensors);
  const plan = createPlan(config, segments);
  checkKeys(plan, segments);
  checkOwn(plan, segments);
  const layouts = plan.parts.map((part) => layoutPart(plan, part, segments));
  // Hearing of a loss takes a turn of the event loop.
  deviceLoss(device);
  await undefined;
  mustNotBeLost(device, "createOptimizer was called");
  const { replicas } = plan;
  const length = arenaLength(segments);
  requireDevice(device, plan, layouts, segments);
  const stages = await compileStages(device, plan, layouts, segments, shape ?? streamShape(device));
  const { made, buffers } = await allocate(device, `${paddedLength(segments) * replicas} parameters`, (create) => {
    const initial = packArena(segments, tensors);
    const params = new Float32Array(length * replicas);
    for (let replica = 0; replica < replicas; replica++) params.set(initial, replica * length);
    const clocks = Array.from({ length: replicas }, () => newClock(plan));
    const control = encodeControl(plan, clocks, 0);
    const shared: SharedBuffers = {
      params: create("params", params.byteLength, bytesOf(params)),
      gradients: create("gradients", params.byteLength),
      accumulated: plan.accumulate > 1 ? create("accumulated", paddedLength(segments) * replicas * 4) : undefined,
      control: create("control", control.byteLength, control),
      tables: plan.parts.map((part) => create("table", tableBytes(plan, part))),
      states: layouts.map((layout) => create("state", layout.stateLength * replicas * 4)),
      scalars: layouts.map((layout) => create("scalars", scalarLength(layout) * replicas * 4)),
    };
    return { ...shared, ...stages.build(create, shared) };
  });
  return new ArenaOptimizer(device, segments, plan, layouts, stages, made, buffers);
}

const newClock = ({ lossScale }: Plan): Clock => ({
  step: 0,
  skipped: 0,
  lossScale: lossScale?.init ?? 1,
  goodSteps: 0,
});

/** Numbers of one replica. */
const scalarLength = ({ scalars, places }: PartLayout) => scalars.length * (1 + places.length);

/** What cannot be done with buffers of the caller's. */
function checkOwn({ replicas }: Plan, segments: readonly Segment[]): void {
  refuseOverlaps(segments);
  for (const { name, own } of segments) {
    if (!own) continue;
    if (replicas > 1) {
      throw new OptionError(`tensor "${name}" is in a buffer of its own; with replicas tensors must be in the arenas`);
    }
    if (own.params.buffer === own.gradients.buffer) {
      throw new OptionError(
        `the params and gradients of tensor "${name}" are in one buffer, which WebGPU cannot read and write in one dispatch`,
      );
    }
    for (const role of ["params", "gradients"] as const) {
      if ((own[role].buffer.usage & GPUBufferUsage.STORAGE) === 0) {
        throw new OptionError(`the ${role} of tensor "${name}" are in a buffer whose usage lacks STORAGE`);
      }
    }
  }
}

/** Two tensors in the same place would be updated by two workgroups at once. */
function refuseOverlaps(segments: readonly Segment[]): void {
  const ends = new Map<GPUBuffer, { readonly name: string; readonly from: number; readonly to: number }[]>();
  for (const { name, own, length } of segments) {
    if (!own) continue;
    const { buffer, offset = 0 } = own.params;
    const ranges = ends.get(buffer) ?? [];
    ends.set(buffer, ranges);
    ranges.push({ name, from: offset, to: offset + 4 * length });
  }
  for (const ranges of ends.values()) {
    ranges.sort((a, b) => a.from - b.from);
    ranges.forEach(({ name, from }, i) => {
      const before = ranges[i - 1];
      if (before && before.to > from) {
        throw new OptionError(
          `the params of tensors "${before.name}" and "${name}" overlap at byte ${from} of their buffer`,
        );
      }
    });
  }
}

function requireDevice(
  device: GPUDevice,
  plan: Plan,
  layouts: readonly PartLayout[],
  segments: readonly Segment[],
): void {
  requireLimit(device, "maxComputeInvocationsPerWorkgroup", 256, "the norm of the gradient");
  requireLimit(device, "maxComputeWorkgroupsPerDimension", plan.replicas, `${plan.replicas} replicas`);
  const held = plan.accumulate > 1 ? paddedLength(segments) : arenaLength(segments);
  requireBuffer(device, held * plan.replicas * 4, `an arena of ${held * plan.replicas} parameters`);
  for (const { name, own } of segments) {
    for (const role of ["params", "gradients"] as const) {
      if (own) requireBuffer(device, own[role].buffer.size, `the buffer of the ${role} of tensor "${name}"`);
    }
  }
  plan.parts.forEach((part, index) => {
    const { rule, slots } = part;
    const sums = rule.reduction !== undefined || plan.cautious;
    const buffers = sums ? 8 : plan.watch ? 7 : 6;
    requireLimit(device, "maxStorageBuffersPerShaderStage", buffers, `rule "${rule.name}"`);
    const { stateLength } = layouts[index]!;
    const what = slots.length > 0 ? slots.join(", ") : "the scales of its units";
    if (stateLength > 0) {
      requireBuffer(device, stateLength * plan.replicas * 4, `the state of rule "${rule.name}" (${what})`);
    }
    if (rule.orthogonalises) {
      for (const { segment } of layouts[index]!.places) {
        const [small, large] = [Math.min(...segment.shape), Math.max(...segment.shape)];
        requireBuffer(device, small * small * plan.replicas * 4, `the Gram matrix of "${segment.name}"`);
        requireLimit(device, "maxComputeWorkgroupsPerDimension", Math.ceil(large / 32), `the matrix "${segment.name}"`);
      }
    }
    requireBuffer(device, tableBytes(plan, part), `the table of ${part.groups.length} groups`);
  });
}

function mustNotBeLost(device: GPUDevice, what: string): void {
  const { info } = deviceLoss(device);
  if (info) {
    throw new DeviceError(
      `${what} after the GPU device was lost (${info.reason}: ${info.message}); make an optimizer on a new device and load a checkpoint`,
    );
  }
}

/** Steps before the next one whose rates `set` replaces too, in case that many were encoded and never submitted. */
const setReach = 32;

/** The same where steps may have been skipped unheard; more would make setting a rate at every step dear. */
const skipReach = 256;

/** `step()` reads the control buffer back each so many steps, without waiting, to hear of skips. */
const hearingInterval = 64;

/** Where one tensor's values of one role are, in bytes; those of later replicas `stride` behind each other. */
interface Location {
  readonly segment: Segment;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly length: number;
  readonly stride: number;
}

/** How far one replica has come, as far as the host knows. */
interface ReplicaClock {
  /** The step that the next update makes, unless some before it were skipped or never submitted. */
  next: number;
  /** The last state of the GPU that we have heard of; it is at least so far by now. */
  heard: { step: number; skipped: number };
  /** When hypers changed last: the step that was to be next, and the updates encoded by then, skipped ones too. */
  changed: { step: number; updates: number };
  /** Whether the replica makes no steps. */
  halted: boolean;
  /** Why it makes no more steps, once that is heard of. */
  underflow: string | undefined;
  /** One for each part. */
  readonly windows: readonly TableWindow[];
}

class ArenaOptimizer implements GpuOptimizer {
  readonly backend = "webgpu";
  readonly device: GPUDevice;
  readonly segments: readonly Segment[];
  readonly controlBytes: number;
  readonly #plan: Plan;
  readonly #layouts: readonly PartLayout[];
  readonly #stages: Stages;
  readonly #made: SharedBuffers & BuiltStages;
  readonly #buffers: readonly GPUBuffer[];
  readonly #clocks: readonly ReplicaClock[];
  readonly #readback: ReadbackPool;
  /** Updates encoded per encoder or pass, which tell a caller who never submits. */
  readonly #encodings = new WeakMap<object, number>();
  readonly #mostEncodings: number;
  readonly #locations = new Map<Role, readonly Location[]>();
  #destroyed = false;
  /** Gradients added up since the last update. */
  #micro = 0;
  /** Updates encoded. */
  #updates = 0;
  /** Whether what rules carry depends on skips that the host may not have heard of, and so where hypers change. */
  readonly #carriesOn: boolean;
  /** Whether the next step is to tell how many were skipped before it. */
  #asks = false;
  /** How many checkpoints were loaded: reports from before the last one are old. */
  #epoch = 0;

  constructor(
    device: GPUDevice,
    segments: readonly Segment[],
    plan: Plan,
    layouts: readonly PartLayout[],
    stages: Stages,
    made: SharedBuffers & BuiltStages,
    buffers: readonly GPUBuffer[],
  ) {
    this.device = device;
    this.segments = segments;
    this.#plan = plan;
    this.#layouts = layouts;
    this.#stages = stages;
    this.#made = made;
    this.#buffers = buffers;
    this.controlBytes = controlBytes(plan) * plan.replicas;
    this.#readback = new ReadbackPool(device, this.controlBytes, "fallline control");
    this.#carriesOn = plan.skipNonFinite && plan.parts.some(({ rule }) => rule.carry);
    if (this.#carriesOn) this.#readback.reserve();
    this.#mostEncodings = Math.min(...plan.parts.map((part) => windowSteps(plan, part))) / 2;
    this.#clocks = Array.from({ length: plan.replicas }, (_, replica) => ({
      next: 0,
      heard: { step: 0, skipped: 0 },
      changed: { step: 0, updates: 0 },
      halted: false,
      underflow: undefined,
      windows: plan.parts.map((part, i) => new TableWindow(device.queue, made.tables[i]!, plan, part, replica)),
    }));
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
    return planSlots(this.#plan);
  }

  get replicas(): number {
    return this.#plan.replicas;
  }

  lossScaleIndex(replica = 0): number {
    return this.#controlIndex("lossScale", replica);
  }

  skipIndex(replica = 0): number {
    return this.#controlIndex("skip", replica);
  }

  stepIndex(replica = 0): number {
    return this.#controlIndex("step", replica);
  }

  #controlIndex(field: keyof typeof controlOffsets, replica: number): number {
    const record = readReplica(this.#plan, "replica", replica) * controlBytes(this.#plan);
    return (record + controlOffsets[field]) / 4;
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.#mustLive("encode");
    mustStep(this.#clocks);
    const updates = this.#micro + 1 === this.#plan.accumulate;
    if (updates) this.#provide(target);
    if ("dispatchWorkgroups" in target) {
      this.#dispatch(target, updates);
      return;
    }
    const pass = target.beginComputePass({ label: "fallline update" });
    this.#dispatch(pass, updates);
    pass.end();
  }

  step(): void {
    this.#mustLive("step");
    const encoder = this.device.createCommandEncoder({ label: "fallline step" });
    this.encode(encoder);
    const commands = encoder.finish();
    const regular = this.#plan.skipNonFinite && this.#micro === 0 && this.#updates % hearingInterval === 0;
    if (!this.#asks && !regular) {
      this.device.queue.submit([commands]);
      return;
    }
    const staging = this.#readback.take();
    const copying = this.device.createCommandEncoder({ label: "fallline hearing" });
    copying.copyBufferToBuffer(this.control, 0, staging, 0, this.controlBytes);
    const copy = copying.finish();
    this.device.queue.submit(this.#asks ? [copy, commands] : [commands, copy]);
    this.#asks = false;
    this.#readback.collect(staging).then(
      (bytes) => this.noteControl(bytes),
      // The device was lost or the optimizer destroyed meanwhile, which the next call says.
      () => {},
    );
  }

  zeroGrad(): void {
    this.#mustLive("zeroGrad");
    for (const location of this.#locate("gradients")) this.#mustAllow(location, "COPY_DST", "zeroGrad");
    const encoder = this.device.createCommandEncoder({ label: "fallline zeroGrad" });
    encoder.clearBuffer(this.gradients);
    for (const { own, length } of this.segments) {
      if (own) encoder.clearBuffer(own.gradients.buffer, own.gradients.offset ?? 0, length * 4);
    }
    this.device.queue.submit([encoder.finish()]);
  }

  set(hypers: Readonly<Record<string, Scheduled>>, group?: number, replica?: number): void {
    this.#mustLive("set");
    this.#settle();
    setHypers(this.#plan, hypers, group, replica, this.#clocks[replica ?? 0]?.next ?? 0);
    this.#expire();
  }

  hyper(name: string, step: number, group = 0, replica = 0): number {
    return readHyperAt(this.#plan, group, name, step, replica);
  }

  freeze(group?: number): void {
    this.#mustLive("freeze");
    setFrozen(this.#plan, true, group);
    this.#expire();
  }

  thaw(group?: number): void {
    this.#mustLive("thaw");
    setFrozen(this.#plan, false, group);
    this.#expire();
  }

  halt(replica: number): void {
    this.#setHalted("halt", replica, true);
  }

  resume(replica: number): void {
    this.#setHalted("resume", replica, false);
  }

  observe(metric: number, replica?: number): void {
    this.#mustLive("observe");
    this.#settle();
    if (observeMetric(this.#plan, metric, replica)) this.#expire();
  }

  binding(role: Role, name: string, replica = 0): GPUBufferBinding & { readonly offset: number } {
    this.#mustLive("binding");
    readReplica(this.#plan, "replica", replica);
    const found = this.#locate(role).find(({ segment }) => segment.name === name);
    if (!found) {
      throw new OptionError(
        `binding names "${name}", which is not a tensor; the tensors are ${this.segments.map((s) => s.name).join(", ")}`,
      );
    }
    const { buffer, offset, stride, length, segment } = found;
    // Up to the next multiple of 16 bytes, so that kernels may read vec4s; the padding is zero.
    const size = segment.own && stride === 0 ? length * 4 : Math.ceil(length / 4) * 16;
    return { buffer, offset: offset + replica * stride, size };
  }

  async read(role: Role = "params", replica = 0): Promise<TensorValues> {
    try {
      return await this.#read(role, replica);
    } catch (error) {
      throw memoryError(`the values of ${role}`, error);
    }
  }

  async #read(role: Role, replica: number): Promise<TensorValues> {
    this.#mustLive("read");
    readReplica(this.#plan, "replica", replica);
    if (this.#layouts.some(({ scalars }) => scalars.some(({ name }) => name === role)) && !this.slots.includes(role)) {
      return this.#readScalars(role, replica);
    }
    if (role !== "evaluation") return (await this.#readRoles([role], replica)).get(role)!;
    const roles = ["params", ...this.slots];
    const [stats, values] = await Promise.all([this.stats(replica), this.#readRoles(roles, replica)]);
    const carried = this.#clocks[replica]!.windows.map(({ rows }) => rows.carried(stats.step));
    return evaluationValues(this.#plan, this.#layouts, values, stats.step, carried);
  }

  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>, replica?: number): void {
    this.#mustLive("write");
    if (replica !== undefined) readReplica(this.#plan, "replica", replica);
    const located = new Map(this.#locate(role).map((location) => [location.segment.name, location]));
    const stored = [...located.values()].map(({ segment, length }) => ({ ...segment, length }));
    const matched = matchSegments(role, stored, values);
    for (const { segment } of matched) this.#mustAllow(located.get(segment.name)!, "COPY_DST", "write");
    // All of them before the first is written, so that an error changes nothing.
    const numbers = inMemory(`the ${role} to write`, () =>
      matched.map(({ segment, data }) => ({ segment, bytes: Float32Array.from(data) })),
    );
    for (const { segment, bytes } of numbers) {
      const { buffer, offset, stride } = located.get(segment.name)!;
      for (let r = replica ?? 0; r < (replica === undefined ? this.replicas : replica + 1); r++) {
        this.device.queue.writeBuffer(buffer, offset + r * stride, bytes);
      }
    }
  }

  async stats(replica = 0): Promise<Stats> {
    this.#mustLive("stats");
    readReplica(this.#plan, "replica", replica);
    const [bytes] = await readParts(this.device, [this.#wholeControl()]);
    return statsOf(this.#note(decodeControl(this.#plan, bytes!))[replica]!);
  }

  noteControl(bytes: ArrayBuffer, offset = 0): readonly Stats[] {
    return this.#note(decodeControl(this.#plan, bytes, offset)).map(statsOf);
  }

  async layers(replica = 0): Promise<readonly LayerStats[]> {
    this.#mustLive("layers");
    readReplica(this.#plan, "replica", replica);
    const { noted } = this.#made;
    if (!noted) throw new OptionError(unwatchedMessage);
    const bytes = this.#stages.notedBytes;
    const [record] = await readParts(this.device, [{ buffer: noted, offset: replica * bytes, bytes }]);
    return this.#stages.layers(record!);
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return await this.#save();
    } catch (error) {
      throw memoryError("a checkpoint", error);
    }
  }

  async #save(): Promise<Uint8Array<ArrayBuffer>> {
    this.#mustLive("save");
    const plan = this.#plan;
    const description = describePlan(plan);
    const micro = this.#micro;
    const roles = ["params", ...this.slots, ...(plan.accumulate > 1 ? ["accumulated"] : [])];
    const replicas = Array.from({ length: plan.replicas }, (_, replica) => replica);
    const scalars = this.#layouts.map((layout, part) => ({
      buffer: this.#made.scalars[part]!,
      offset: 0,
      bytes: scalarLength(layout) * plan.replicas * 4,
    }));
    const [[control, ...numbers], ...values] = await Promise.all([
      readParts(this.device, [this.#wholeControl(), ...scalars]),
      // Role by role: all of them together may be more than a buffer holds. All copies are submitted before any is awaited.
      ...replicas.map((replica) =>
        Promise.all(roles.map((role) => this.#readRoles([role], replica))).then(
          (each) => new Map(each.flatMap((values) => [...values])),
        ),
      ),
    ]);
    const clocks = this.#note(decodeControl(plan, control!));
    const snapshot: Snapshot = {
      clocks,
      micro,
      carried: plan.parts.map((_, part) =>
        this.#clocks.map(({ windows }, replica) => windows[part]!.rows.carried(clocks[replica]!.step)),
      ),
      roles: new Map(roles.map((role) => [role, values.map((each) => each.get(role)!)])),
      scalars: this.#layouts.map((layout, part) => {
        const each = scalarLength(layout);
        return replicas.map((replica) => new Float32Array(numbers[part]!, replica * each * 4, each));
      }),
    };
    return encodeCheckpoint(description, plan, this.#layouts, this.segments, snapshot);
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#mustLive("load");
    for (const location of this.#locate("params")) this.#mustAllow(location, "COPY_DST", "load");
    const { clocks, micro, carried, roles, scalars } = inMemory("the checkpoint", () =>
      openCheckpoint(this.#plan, this.#layouts, this.segments, bytes),
    );
    const { queue } = this.device;
    for (const [role, replicas] of roles) {
      for (const { segment, buffer, offset, stride } of this.#locate(role)) {
        replicas.forEach((values, r) => {
          queue.writeBuffer(buffer, offset + r * stride, values[segment.name] as Float32Array<ArrayBuffer>);
        });
      }
    }
    scalars.forEach((replicas, part) => {
      replicas.forEach((values, r) => {
        const bytes = values as Float32Array<ArrayBuffer>;
        if (bytes.length > 0) queue.writeBuffer(this.#made.scalars[part]!, r * bytes.byteLength, bytes);
      });
    });
    this.#epoch++;
    this.#micro = micro;
    queue.writeBuffer(
      this.control,
      0,
      encodeControl(this.#plan, clocks, this.#epoch, (r) => this.#clocks[r]!.halted),
    );
    if (this.#made.noted) {
      const encoder = this.device.createCommandEncoder({ label: "fallline load" });
      encoder.clearBuffer(this.#made.noted);
      queue.submit([encoder.finish()]);
    }
    this.#clocks.forEach((clock, r) => {
      const { step, skipped } = clocks[r]!;
      clock.heard = { step, skipped };
      clock.changed = { step, updates: 0 };
      clock.next = step;
      clock.underflow = undefined;
      clock.windows.forEach((window, part) => {
        window.restart(step);
        window.rows.restore(step, carried[part]![r]!);
      });
    });
  }

  destroy(): void {
    this.#destroyed = true;
    for (const buffer of this.#buffers) buffer.destroy();
    this.#readback.destroy();
  }

  /** Makes sure that the rows of the update about to be encoded are there. */
  #provide(target: object): void {
    const encodings = this.#encodings.get(target) ?? 0;
    if (encodings >= this.#mostEncodings) {
      throw new OptionError(
        `encode was called ${encodings + 1} times for one submission; it takes at most ${this.#mostEncodings}`,
      );
    }
    const running = this.#clocks.filter(({ halted, underflow }) => !halted && underflow === undefined);
    for (const { windows, next } of running) for (const window of windows) window.provide(next);
    this.#encodings.set(target, encodings + 1);
    for (const clock of running) clock.next++;
    this.#updates++;
  }

  #dispatch(pass: GPUComputePassEncoder, updates: boolean): void {
    const { accumulate, update } = this.#made.dispatches;
    encodeDispatches(pass, this.#micro === 0 ? accumulate.fresh : accumulate.more);
    if (updates) encodeDispatches(pass, update);
    this.#micro = updates ? 0 : this.#micro + 1;
  }

  /** Rows that may still be taken are made anew: something that they hold has changed. */
  #expire(): void {
    for (const { windows, next, heard } of this.#clocks) {
      windows.forEach((window) => {
        const reach = this.#plan.skipNonFinite ? skipReach : setReach;
        window.expire(Math.max(heard.step, next - reach));
      });
    }
  }

  /**
   * Before hypers change: what rules carried up to the next step stays as it is. Where steps were skipped unheard that step
   * comes earlier, and what is carried into those between depends on it, so the GPU will be asked where it is.
   */
  #settle(): void {
    for (const clock of this.#clocks) {
      clock.changed = { step: clock.next, updates: clock.next + clock.heard.skipped };
      for (const { rows } of clock.windows) rows.settle(clock.next);
    }
    this.#asks = this.#carriesOn && this.#clocks.some(({ next, heard }) => next !== heard.step);
  }

  #note(records: readonly ControlRecord[]): readonly ControlRecord[] {
    records.forEach(({ epoch, step, skipped, underflowed, lossScale }, r) => {
      const clock = this.#clocks[r]!;
      const { changed, windows } = clock;
      // Copies from before a load, or older than what was heard since, tell nothing new.
      if (epoch !== this.#epoch || step + skipped <= clock.heard.step + clock.heard.skipped) return;
      const delay = skipped - clock.heard.skipped;
      clock.next = Math.max(step, clock.next - delay);
      clock.heard = { step, skipped };
      // Skipped before hypers changed, so that they changed before an earlier step.
      if (delay > 0 && step + skipped <= changed.updates) {
        changed.step = Math.max(step, changed.step - delay);
        for (const window of windows) {
          window.rows.settle(changed.step);
          window.expire(changed.step);
        }
      }
      // A window has left the GPU behind, by skips or by encoders that were dropped: back to where it is.
      for (const window of windows) if (window.fallBack(step)) clock.next = step;
      if (underflowed) clock.underflow ??= underflowMessage(step, lossScale, this.#plan.lossScale!.min);
    });
    return records;
  }

  #setHalted(call: string, replica: number, value: boolean): void {
    this.#mustLive(call);
    const clock = this.#clocks[readReplica(this.#plan, "replica", replica)]!;
    if (clock.halted === value) return;
    clock.halted = value;
    this.device.queue.writeBuffer(this.control, 4 * this.skipIndex(replica), Uint32Array.of(value ? halted : 0));
  }

  #wholeControl(): CopySource {
    return { buffer: this.control, offset: 0, bytes: this.controlBytes };
  }

  /** Where the values of a role are, by tensor; throws for what is no role. */
  #locate(role: Role): readonly Location[] {
    const known = this.#locations.get(role) ?? this.#find(role);
    this.#locations.set(role, known);
    return known;
  }

  #find(role: Role): readonly Location[] {
    const { params, gradients, accumulated, states } = this.#made;
    if (role === "params" || role === "gradients") {
      const stride = arenaLength(this.segments) * 4;
      return this.segments.map((segment) => {
        const { length, own, offset } = segment;
        const range = role === "params" ? own?.params : own?.gradients;
        if (range) return { segment, buffer: range.buffer, offset: range.offset ?? 0, length, stride: 0 };
        return { segment, buffer: role === "params" ? params : gradients, offset: offset * 4, length, stride };
      });
    }
    if (role === "accumulated" && accumulated) {
      const stride = paddedLength(this.segments) * 4;
      return this.segments.map((segment) => {
        const { length, offset } = segment;
        return { segment, buffer: accumulated, offset: offset * 4, length, stride };
      });
    }
    const found = this.#layouts.flatMap((layout, part) => {
      if (!layout.slotBases.has(role)) return [];
      return layout.places.map((place) => {
        const { offset, length } = slotRange(layout, place, role);
        const stride = layout.stateLength * 4;
        return { segment: place.segment, buffer: states[part]!, offset: offset * 4, length, stride };
      });
    });
    if (found.length === 0) {
      throw new OptionError(`role is ${show(role)}; it must be one of ${rolesOf(this.#plan).join(", ")}`);
    }
    return found;
  }

  async #readScalars(name: string, replica: number): Promise<TensorValues> {
    const records = await readParts(
      this.device,
      this.#layouts.map((layout, part) => {
        const bytes = scalarLength(layout) * 4;
        return { buffer: this.#made.scalars[part]!, offset: replica * bytes, bytes };
      }),
    );
    return Object.fromEntries(
      this.#layouts.flatMap((layout, part) => scalarValues(layout, new Float32Array(records[part]!), name) ?? []),
    );
  }

  async #readRoles(roles: readonly string[], replica: number): Promise<Map<string, TensorValues>> {
    const wanted = roles.flatMap((role) => this.#locate(role).map((location) => ({ role, ...location })));
    for (const location of wanted) this.#mustAllow(location, "COPY_SRC", "read");
    // What lies in one of our buffers is copied as one stretch.
    const stretches = new Map<string, { buffer: GPUBuffer; from: number; to: number }>();
    const keys = wanted.map(({ role, segment, buffer, offset, length, stride }) => {
      const key =
        buffer === segment.own?.params.buffer || buffer === segment.own?.gradients.buffer
          ? `${role} of ${segment.name}`
          : `${role} in ${this.#buffers.indexOf(buffer)}`;
      const begin = offset + replica * stride;
      const stretch = stretches.get(key) ?? { buffer, from: begin, to: begin };
      stretch.from = Math.min(stretch.from, begin);
      stretch.to = Math.max(stretch.to, begin + length * 4);
      stretches.set(key, stretch);
      return { key, begin };
    });
    const order = [...stretches];
    const sources = order.map(([, { buffer, from, to }]) => ({ buffer, offset: from, bytes: to - from }));
    const parts = await readParts(this.device, [...sources, this.#wholeControl()]);
    // What waits for the GPU anyway tells of skips too.
    this.#note(decodeControl(this.#plan, parts[order.length]!));
    const bytes = new Map(order.map(([key, { from }], i) => [key, { from, part: parts[i]! }]));
    const values = new Map(roles.map((role): [string, TensorValues] => [role, {}]));
    wanted.forEach(({ role, segment, length }, i) => {
      const { key, begin } = keys[i]!;
      const { from, part } = bytes.get(key)!;
      const whole = begin === from && part.byteLength === length * 4;
      const own = whole ? part : part.slice(begin - from, begin - from + length * 4);
      putValues(values.get(role)!, segment.name, new Float32Array(own));
    });
    return values;
  }

  /** Buffers of the caller's may lack what a copy needs. */
  #mustAllow({ segment, buffer }: Location, usage: "COPY_SRC" | "COPY_DST", call: string): void {
    if (segment.own && (buffer.usage & GPUBufferUsage[usage]) === 0) {
      throw new OptionError(`${call} needs the buffer of tensor "${segment.name}" to have usage ${usage}`);
    }
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on an optimizer that is destroyed`);
    mustNotBeLost(this.device, `${call}() was called`);
  }
}

function statsOf({ step, skipped, gradientNorm, clipScale, lossScale, underflowed, groupNorms }: ControlRecord): Stats {
  return { step, skipped, gradientNorm, clipScale, lossScale, underflowed, ...(groupNorms ? { groupNorms } : {}) };
}
