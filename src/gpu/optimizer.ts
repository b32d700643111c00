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
  type LoadOptions,
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
  readRole,
  rolesOf,
  setFrozen,
  setHypers,
} from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import type { Scheduled } from "../schedule.ts";
import type { Change } from "../table.ts";
import { allocate, bytesOf, failureOf, watched } from "./allocate.ts";
import { boundBytes } from "./chunks.ts";
import { type ControlRecord, controlBytes, controlOffsets, decodeControl, encodeControl, halted } from "./control.ts";
import { deviceLoss, lossText, readDevice, requireBuffer, requireLimit } from "./device.ts";
import { encodeDispatches, leavePass, prepareLeaving } from "./kernel.ts";
import { type CopySource, ReadbackPool, readParts, stagingBytes } from "./readback.ts";
import { type StreamShape, streamShape } from "./shapes.ts";
import { type BuiltStages, compileStages, type SharedBuffers, type Stages } from "./stages.ts";
import { together } from "./together.ts";
import { mostSlots, TableWindow, tableBytes, windowSlots } from "./window.ts";

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
  /** Updates encoded so far, submitted or not; with `accumulate` only some calls of `encode` and `step` encode one. */
  readonly updates: number;
  /** Whether `destroy` was called. */
  readonly destroyed: boolean;
  /**
   * Where in the control buffer, as an `array<f32>`, the scale is that the next loss of a replica is to be multiplied by.
   */
  lossScaleIndex(replica?: number): number;
  /**
   * Encodes one update: 1 dispatch, or more with clipping, skipping and rules that sum (docs/rules.md). Opens a pass of its
   * own in a command encoder, or uses an open compute pass. Submits nothing, reads nothing back, and creates nothing.
   *
   * An open pass is left without a bind group 0: set your own pipeline and bind group before you dispatch again. A dispatch
   * without them is a validation error that makes the whole submission fail. A command encoder has no such state.
   *
   * The update takes the rates of the GPU's own step when it runs, so encoders may be submitted in any order, and one that is
   * never submitted uses up no step. The table holds 5,120 steps (512 and more with hundreds of groups or replicas): an update
   * that runs when its step is no longer among them, after so many encoders that were dropped or are submitted at once, or
   * so many skips unheard, changes nothing, and the next `step`, `encode`, `stats`, `read`, `save` or `noteControl` throws a
   * DeviceError that says how many there were; what is encoded after that is right again. To lose none, `await stats()`
   * after dropping encoders. With `accumulate` the GPU counts the gradients: never another number of them makes an update.
   * Where an encoder was dropped and nothing was heard since, one gradient may be left out, which is reported likewise.
   *
   * Rules that carry something from step to step (asgd its rate) take a `set` late by the skips and dropped encoders unheard
   * then, until `step`, `read` or `stats` hears of them.
   *
   * @throws OptionError for a target that is neither; when a hyper's schedule leaves its range at this step; when more than
   * 2,048 updates (256 and more with hundreds of groups or replicas) are encoded into one encoder or pass, or more than 5,120
   * without an `await` and without {@link GpuOptimizer.noteSubmitted}. DataError when {@link Optimizer.step} does. DeviceError
   * after `destroy` or device loss, and where updates were lost. Nothing is encoded then.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /**
   * Tells that what was encoded into `target` has been submitted. Never needed; a caller who does, in a loop without an
   * `await`, may encode and submit any number of updates, and with dropped encoders elsewhere the host knows better where
   * the GPU is.
   */
  noteSubmitted(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /**
   * One tensor's part of an arena, ready for a bind group; up to 3 elements of zero padding follow the tensor. Of a tensor
   * in a buffer of the caller's, its part of that, whose offset need not be one that can be bound.
   */
  binding(role: Role, name: string, replica?: number): GPUBufferBinding & { readonly offset: number };
  /** Where in the control buffer, as an `array<u32>`, the word is that is 2 while a replica is halted. */
  skipIndex(replica?: number): number;
  /** Where in the control buffer, as an `array<u32>`, the number of updates is that a replica has made. */
  stepIndex(replica?: number): number;
  /**
   * Reads a copy of the control buffer that the caller made, and learns from it how many steps were skipped; by replica.
   *
   * @throws OptionError for a copy that is too short; DeviceError where updates were lost ({@link GpuOptimizer.encode}).
   */
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
  readDevice(device);
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
    const control = encodeControl(plan, clocks, 0, 0);
    prepareLeaving(device);
    const shared: SharedBuffers = {
      params: create("params", params.byteLength, bytesOf(params)),
      gradients: create("gradients", params.byteLength),
      accumulated: plan.accumulate > 1 ? create("accumulated", paddedLength(segments) * replicas * 4) : undefined,
      control: create("control", control.byteLength, control),
      table: create("table", tableBytes(plan)),
      states: layouts.map((layout) => create("state", layout.stateLength * replicas * 4)),
      scalars: layouts.map((layout) => create("scalars", scalarLength(layout) * replicas * 4)),
    };
    const built = stages.build(create, shared);
    // What steps need to hear of skips, so that they make nothing as a rule.
    const hearing = plan.skipNonFinite
      ? create("control", stagingBytes(control.byteLength), undefined, "readback")
      : undefined;
    return { ...shared, ...built, hearing };
  });
  return new ArenaOptimizer(device, segments, plan, layouts, stages, made, buffers);
}

/** Everything that an optimizer is made of on the device. */
interface Made extends SharedBuffers, BuiltStages {
  /** A staging buffer for copies of the control buffer. */
  readonly hearing: GPUBuffer | undefined;
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
  for (const segment of segments) {
    for (const role of ["params", "gradients"] as const) {
      const bytes = boundBytes(segment, role);
      requireLimit(device, "maxStorageBufferBindingSize", bytes, `the ${role} of tensor "${segment.name}"`);
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
  });
  requireBuffer(device, tableBytes(plan), `the table of ${plan.groups.length} groups`);
}

function mustNotBeLost(device: GPUDevice, what: string): void {
  const { info } = deviceLoss(device);
  if (info) {
    throw new DeviceError(`${what} after ${lossText(info)}; make an optimizer on a new device and load a checkpoint`);
  }
}

/**
 * Steps before the next one whose rates `set` replaces too, where that many may have been encoded and never submitted; eight
 * times as many as were encoded since the last `set`, if that is more. Always more would make setting a rate at every step
 * dear.
 */
const setReach = 32;

/** The same where steps may have been skipped unheard. */
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
  /** Updates encoded since the last load. */
  encoded: number;
  /** What was encoded when the last copy was submitted that we know the place of. */
  placed: number;
  /** When hypers changed last: the step that was to be next, updates by then with skipped ones, and {@link encoded}. */
  changed: Change & { step: number };
  /** Updates and gradients that were lost, as far as we have heard. */
  lost: { astray: number; missed: number };
  /** Updates that `step` submitted; each of them is a step or a skip, or went astray. */
  submitted: number;
  /** How far the replica was when it was last looked at whether all of these had run. */
  checked: { ran: number; submitted: number };
  /** Whether the replica makes no steps. */
  halted: boolean;
  /** Why it makes no more steps, once that is heard of. */
  underflow: string | undefined;
  readonly window: TableWindow;
}

/** How much was encoded when a copy of the control buffer was submitted: what it tells is of everything before. */
interface Place {
  readonly epoch: number;
  readonly gradients: number;
  readonly unsure: number;
  /** By replica. */
  readonly encoded: readonly number[];
}

/** Why what was submitted left no trace. */
const refusedWords =
  "the device refused them, as its uncapturederror event tells; a buffer that they use may be destroyed, mapped or invalid";

class ArenaOptimizer implements GpuOptimizer {
  readonly backend = "webgpu";
  readonly device: GPUDevice;
  readonly segments: readonly Segment[];
  readonly controlBytes: number;
  readonly #plan: Plan;
  readonly #layouts: readonly PartLayout[];
  readonly #stages: Stages;
  readonly #made: Made;
  readonly #buffers: readonly GPUBuffer[];
  readonly #clocks: readonly ReplicaClock[];
  readonly #readback: ReadbackPool;
  /** Calls of `encode` per encoder or pass, which tell a caller who never submits. */
  readonly #encodings = new WeakMap<object, number>();
  readonly #mostEncodings: number;
  readonly #locations = new Map<Role, readonly Location[]>();
  #destroyed = false;
  /** Gradients added up since the last update, if all that was encoded is submitted; the GPU counts for itself. */
  #micro = 0;
  /** Calls of `encode` and `step`. */
  #gradients = 0;
  /** Updates encoded. */
  #updates = 0;
  /** What {@link #updates} was at the last change of hypers. */
  #updatesAtChange = 0;
  /** Calls of `encode` of which nobody knows whether they were submitted, since a copy that told. */
  #unsure = 0;
  /** Of those, the ones without an `await` between them. */
  #unsureInTurn = 0;
  /** What {@link #gradients} was at the last copy that we know the place of. */
  #gradientsPlaced = 0;
  /** What the next call is to say. */
  #trouble: DeviceError | undefined;
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
    made: Made,
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
    this.#readback = new ReadbackPool(device, this.controlBytes, "control", made.hearing ? [made.hearing] : []);
    this.#carriesOn = plan.parts.some(({ rule }) => rule.carry);
    this.#mostEncodings = Math.min(2048, windowSlots(plan) / 2);
    this.#clocks = Array.from({ length: plan.replicas }, (_, replica) => ({
      next: 0,
      heard: { step: 0, skipped: 0 },
      encoded: 0,
      placed: 0,
      changed: { step: 0, updates: 0, encoded: 0 },
      lost: { astray: 0, missed: 0 },
      submitted: 0,
      checked: { ran: 0, submitted: 0 },
      halted: false,
      underflow: undefined,
      window: new TableWindow(device.queue, made.table, plan, replica),
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

  get updates(): number {
    return this.#updates;
  }

  get destroyed(): boolean {
    return this.#destroyed;
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
    mustEncodeInto(target);
    this.#raise();
    const calls = this.#encodings.get(target) ?? 0;
    const { accumulate } = this.#plan;
    if (calls >= this.#mostEncodings * accumulate) {
      throw new OptionError(
        `encode was called ${calls + 1} times for one submission; it takes at most ${this.#mostEncodings * accumulate}`,
      );
    }
    if (this.#unsureInTurn >= mostSlots * accumulate) {
      throw new OptionError(
        `encode was called ${this.#unsureInTurn + 1} times without an await; it takes at most ${mostSlots * accumulate}: await device.queue.onSubmittedWorkDone() now and then, or call noteSubmitted() after each submission`,
      );
    }
    this.#encode(target, false);
    this.#encodings.set(target, calls + 1);
    if (this.#unsureInTurn === 0) queueMicrotask(this.#endTurn);
    this.#unsureInTurn++;
    this.#unsure++;
  }

  readonly #endTurn = () => {
    this.#unsureInTurn = 0;
  };

  noteSubmitted(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.#mustLive("noteSubmitted");
    mustEncodeInto(target, "noteSubmitted");
    const calls = this.#encodings.get(target) ?? 0;
    this.#encodings.delete(target);
    this.#unsure = Math.max(0, this.#unsure - calls);
    this.#unsureInTurn = Math.max(0, this.#unsureInTurn - calls);
  }

  /** @param submits Whether what is encoded is submitted at once. */
  #encode(target: GPUCommandEncoder | GPUComputePassEncoder, submits: boolean): void {
    mustStep(this.#clocks);
    const full = this.#micro + 1 === this.#plan.accumulate;
    // Encoders that were dropped, or come yet: the GPU knows when the gradients of an update are all there.
    const asksGpu = submits && this.#plan.accumulate > 1 && this.#unsure > 0;
    if (full || asksGpu) this.#provide(full);
    const { accumulate, update } = this.#made.dispatches;
    const dispatch = (pass: GPUComputePassEncoder) => {
      if (asksGpu) encodeDispatches(pass, update);
      encodeDispatches(pass, accumulate);
      if (full || asksGpu) encodeDispatches(pass, update);
    };
    if ("dispatchWorkgroups" in target) {
      dispatch(target);
      leavePass(this.device, target);
    } else {
      const pass = target.beginComputePass({ label: "fallline update" });
      dispatch(pass);
      pass.end();
    }
    this.#micro = full ? 0 : this.#micro + 1;
    this.#gradients++;
  }

  step(): void {
    this.#mustLive("step");
    this.#raise();
    const { accumulate } = this.#plan;
    // Where encoders may have been dropped only the GPU knows which gradient completes an update.
    const [before, sure] = [this.#updates, accumulate === 1 || this.#unsure === 0];
    const encoder = this.device.createCommandEncoder({ label: "fallline step" });
    this.#encode(encoder, true);
    const commands = encoder.finish();
    this.#submitStep(commands);
    if (this.#updates === before || !sure) return;
    for (const clock of this.#clocks) if (!clock.halted) clock.submitted++;
  }

  /** Submits a step, and now and then a copy of the control buffer with it, which tells of skips. */
  #submitStep(commands: GPUCommandBuffer): void {
    const hears = this.#plan.skipNonFinite || this.#unsure > 0;
    const regular = hears && this.#micro === 0 && this.#updates % hearingInterval === 0;
    if (!this.#asks && !regular) {
      this.device.queue.submit([commands]);
      return;
    }
    const staging = this.#readback.take();
    const copying = this.device.createCommandEncoder({ label: "fallline hearing" });
    copying.copyBufferToBuffer(this.control, 0, staging.buffer, 0, this.controlBytes);
    staging.mark(copying);
    const copy = copying.finish();
    // Copied before the step, it tells what was before it.
    const place = this.#place(this.#asks);
    this.device.queue.submit(this.#asks ? [copy, commands] : [commands, copy]);
    this.#asks = false;
    this.#readback.collect(staging).then(
      (bytes) => this.#note(decodeControl(this.#plan, bytes), place),
      // The device was lost, the optimizer destroyed or the submission refused: the next call or read says so.
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
    this.#setFrozen("freeze", true, group);
  }

  thaw(group?: number): void {
    this.#setFrozen("thaw", false, group);
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
    readRole(this.#plan, role);
    readReplica(this.#plan, "replica", replica);
    const found = this.#locate(role).find(({ segment }) => segment.name === name);
    if (!found) {
      throw new OptionError(
        `binding names ${show(name)}, which is not a tensor; the tensors are ${this.segments.map((s) => s.name).join(", ")}`,
      );
    }
    const { buffer, offset, stride, length, segment } = found;
    // Up to the next multiple of 16 bytes, so that kernels may read vec4s; the padding is zero.
    const size = segment.own && stride === 0 ? length * 4 : Math.ceil(length / 4) * 16;
    return { buffer, offset: offset + replica * stride, size };
  }

  async read(role: Role = "params", replica = 0): Promise<TensorValues> {
    readRole(this.#plan, role);
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
    const [stats, values] = await together([this.stats(replica), this.#readRoles(roles, replica)]);
    const { sources } = this.#clocks[replica]!.window;
    const carried = sources.map((source) => source.carried(stats.step));
    const made = sources.map((source) => source.made(stats.step));
    return evaluationValues(this.#plan, this.#layouts, values, made, carried);
  }

  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>, replica?: number): void {
    this.#mustLive("write");
    readRole(this.#plan, role);
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
    const [records] = await this.#readChecked([]);
    return statsOf(records[replica]!);
  }

  noteControl(bytes: ArrayBuffer, offset = 0): readonly Stats[] {
    const records = this.#note(decodeControl(this.#plan, bytes, offset));
    this.#raise();
    return records.map(statsOf);
  }

  async layers(replica = 0): Promise<readonly LayerStats[]> {
    this.#mustLive("layers");
    readReplica(this.#plan, "replica", replica);
    const { noted } = this.#made;
    if (!noted) throw new OptionError(unwatchedMessage);
    const bytes = this.#stages.notedBytes;
    const [, record] = await this.#readChecked([{ buffer: noted, offset: replica * bytes, bytes }]);
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
    const roles = ["params", ...this.slots, ...(plan.accumulate > 1 ? ["accumulated"] : [])];
    const replicas = Array.from({ length: plan.replicas }, (_, replica) => replica);
    const scalars = this.#layouts.map((layout, part) => ({
      buffer: this.#made.scalars[part]!,
      offset: 0,
      bytes: scalarLength(layout) * plan.replicas * 4,
    }));
    const [[clocks, ...numbers], ...values] = await together([
      this.#readChecked(scalars),
      // Role by role: all of them together may be more than a buffer holds. All copies are submitted before any is awaited.
      ...replicas.map((replica) =>
        together(roles.map((role) => this.#readRoles([role], replica))).then(
          (each) => new Map(each.flatMap((values) => [...values])),
        ),
      ),
    ]);
    const snapshot: Snapshot = {
      clocks,
      micro: clocks[0]!.micro,
      carried: plan.parts.map((_, part) =>
        this.#clocks.map(({ window }, replica) => window.sources[part]!.carried(clocks[replica]!.step)),
      ),
      made: plan.parts.map((_, part) =>
        this.#clocks.map(({ window }, replica) => window.sources[part]!.made(clocks[replica]!.step)),
      ),
      roles: new Map(roles.map((role) => [role, values.map((each) => each.get(role)!)])),
      scalars: this.#layouts.map((layout, part) => {
        const each = scalarLength(layout);
        return replicas.map((replica) => new Float32Array(numbers[part]!, replica * each * 4, each));
      }),
    };
    return encodeCheckpoint(description, plan, this.#layouts, this.segments, snapshot);
  }

  async load(bytes: Uint8Array, options?: LoadOptions): Promise<void> {
    this.#mustLive("load");
    for (const location of this.#locate("params")) this.#mustAllow(location, "COPY_DST", "load");
    const { clocks, micro, carried, made, roles, scalars } = inMemory("the checkpoint", () =>
      openCheckpoint(this.#plan, this.#layouts, this.segments, bytes, options),
    );
    this.#epoch++;
    this.#micro = micro;
    this.#unsure = 0;
    this.#trouble = undefined;
    const { thrown, trouble } = watched(this.device, () => this.#upload({ clocks, roles, scalars }));
    this.#clocks.forEach((clock, r) => {
      const { step, skipped } = clocks[r]!;
      clock.heard = { step, skipped };
      clock.changed = { step, updates: 0, encoded: 0 };
      clock.next = step;
      clock.encoded = 0;
      clock.placed = 0;
      clock.lost = { astray: 0, missed: 0 };
      clock.checked = { ran: step + skipped, submitted: clock.submitted };
      clock.underflow = undefined;
      clock.window.restart(step);
      clock.window.sources.forEach((source, part) => {
        source.restore(step, carried[part]![r]!, made[part]![r]!);
      });
    });
    const failure = await failureOf(this.device, "what was loaded", await trouble, thrown);
    if (failure) throw failure;
  }

  /** Writes a checkpoint over what is there. */
  #upload({ clocks, roles, scalars }: Pick<Snapshot, "clocks" | "roles" | "scalars">): void {
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
    queue.writeBuffer(
      this.control,
      0,
      encodeControl(this.#plan, clocks, this.#epoch, this.#micro, (r) => this.#clocks[r]!.halted),
    );
    if (!this.#made.noted) return;
    const encoder = this.device.createCommandEncoder({ label: "fallline load" });
    encoder.clearBuffer(this.#made.noted);
    queue.submit([encoder.finish()]);
  }

  destroy(): void {
    this.#destroyed = true;
    for (const buffer of this.#buffers) buffer.destroy();
    this.#readback.destroy();
  }

  /**
   * Makes sure that the rows of the update about to be encoded are there.
   *
   * @param full Whether it is made if all that was encoded is submitted; else the GPU may find that it is.
   */
  #provide(full: boolean): void {
    const running = this.#clocks.filter(({ halted, underflow }) => !halted && underflow === undefined);
    const spare = this.#plan.accumulate > 1;
    for (const clock of running) {
      const floor = this.#floor(clock);
      clock.window.provide(clock.next, floor, clock.next - floor - this.#unsure, spare);
    }
    if (!full) return;
    for (const clock of running) {
      clock.next++;
      clock.encoded++;
    }
    this.#updates++;
  }

  /** The step that the GPU is at by now at least. */
  #floor({ next, heard }: ReplicaClock): number {
    return this.#plan.skipNonFinite ? heard.step : Math.max(heard.step, next - this.#unsure);
  }

  /** Rows that may still be taken are made anew: something that they hold has changed. */
  #expire(): void {
    const reach = Math.max(
      this.#plan.skipNonFinite ? skipReach : setReach,
      8 * (this.#updates - this.#updatesAtChange),
    );
    this.#updatesAtChange = this.#updates;
    for (const clock of this.#clocks) clock.window.expire(Math.max(this.#floor(clock), clock.next - reach));
  }

  /**
   * Before hypers change: what rules carried up to the next step stays as it is. Where steps were skipped or dropped unheard
   * that step comes earlier, and what is carried into those between depends on it, so the GPU will be asked where it is.
   */
  #settle(): void {
    for (const clock of this.#clocks) {
      const { next, heard, encoded } = clock;
      clock.changed = { step: next, updates: next + heard.skipped, encoded };
      for (const source of clock.window.sources) source.settle(next);
    }
    this.#asks = this.#carriesOn && this.#clocks.some((clock) => clock.next !== this.#floor(clock));
  }

  /** What a group has made goes by the step at which it is frozen or thawed, as what is carried does by that of changes. */
  #setFrozen(call: string, frozen: boolean, group: number | undefined): void {
    this.#mustLive(call);
    this.#settle();
    setFrozen(this.#plan, frozen, group);
    for (const { window, next, changed } of this.#clocks) {
      for (const source of window.sources) source.refreeze(next, changed);
    }
    this.#asks ||= this.#clocks.some((clock) => clock.next !== this.#floor(clock));
    this.#expire();
  }

  /**
   * What a copy of the control buffer will tell of that is submitted now.
   *
   * @param before Whether it is copied before the step that was encoded last.
   */
  #place(before = false): Place {
    const last = Number(before);
    return {
      epoch: this.#epoch,
      gradients: this.#gradients - last,
      unsure: this.#unsure,
      encoded: this.#clocks.map(({ encoded }) => encoded - (this.#micro === 0 ? last : 0)),
    };
  }

  /** Learns from a copy of the control buffer; with its place also what was dropped before it. */
  #note(records: readonly ControlRecord[], place?: Place): readonly ControlRecord[] {
    const placed = place !== undefined && place.epoch === this.#epoch && place.gradients >= this.#gradientsPlaced;
    records.forEach((record, r) => {
      const { epoch, step, skipped, underflowed, lossScale } = record;
      // Copies from before a load tell nothing new.
      if (epoch !== this.#epoch) return;
      const clock = this.#clocks[r]!;
      const { changed, window, heard } = clock;
      this.#noteLosses(clock, record);
      const encoded = placed && place.encoded[r]! >= clock.placed ? place.encoded[r]! : undefined;
      // Nor do those that are older than what was heard since.
      const total = heard.step + heard.skipped;
      if (step + skipped < total || (step + skipped === total && encoded === undefined)) return;
      // What was encoded before a copy of a known place and is not in it was skipped, or dropped.
      const delay = encoded === undefined ? skipped - heard.skipped : clock.next - (step + clock.encoded - encoded);
      clock.next = Math.max(step, clock.next - delay);
      clock.heard = { step, skipped };
      clock.placed = encoded ?? clock.placed;
      const isBefore = (change: Change) =>
        encoded === undefined ? step + skipped <= change.updates : encoded <= change.encoded;
      if (delay > 0) {
        for (const source of window.sources) {
          const from = source.delay(isBefore, delay, step);
          if (from !== undefined) window.expire(from);
        }
      }
      // Before hypers changed, so that they changed before an earlier step.
      if (delay > 0 && isBefore(changed)) {
        changed.step = Math.max(step, changed.step - delay);
        for (const source of window.sources) source.settle(changed.step);
        window.expire(changed.step);
      }
      // The window has left the GPU behind, by skips or by encoders that were dropped: back to where it is.
      if (window.fallBack(step) && encoded === undefined) {
        for (const source of window.sources) source.fallBack(step);
        clock.next = step;
      }
      if (underflowed) clock.underflow ??= underflowMessage(step, lossScale, this.#plan.lossScale!.min);
    });
    if (placed && records[0]!.epoch === this.#epoch) {
      this.#micro = (records[0]!.micro + this.#gradients - place.gradients) % this.#plan.accumulate;
      this.#unsure = Math.max(0, this.#unsure - place.unsure);
      this.#gradientsPlaced = place.gradients;
    }
    return records;
  }

  /** Keeps for the next call what it must say of updates and gradients that were lost. */
  #noteLosses(clock: ReplicaClock, { astray, missed }: ControlRecord): void {
    const updates = astray - clock.lost.astray;
    const gradients = missed - clock.lost.missed;
    if (updates <= 0 && gradients <= 0) return;
    clock.lost = { astray, missed };
    this.#trouble ??= new DeviceError(updates > 0 ? astrayMessage(updates, this.#plan) : missedMessage(gradients));
  }

  /** @throws DeviceError that tells once of what was lost. */
  #raise(): void {
    const trouble = this.#trouble;
    this.#trouble = undefined;
    if (trouble) throw trouble;
  }

  #setHalted(call: string, replica: number, value: boolean): void {
    this.#mustLive(call);
    const clock = this.#clocks[readReplica(this.#plan, "replica", replica)]!;
    if (clock.halted === value) return;
    clock.halted = value;
    this.device.queue.writeBuffer(this.control, 4 * this.skipIndex(replica), Uint32Array.of(value ? halted : 0));
  }

  /**
   * Reads parts of buffers and the control buffer behind everything that was submitted, and learns from it: whether steps were
   * skipped, and whether all of them ran.
   *
   * @throws DeviceError where the device refused the copy, or steps before it.
   */
  async #readChecked(
    parts: readonly CopySource[],
  ): Promise<readonly [records: readonly ControlRecord[], ...parts: ArrayBuffer[]]> {
    const submitted = this.#clocks.map((clock) => clock.submitted);
    const micro = this.#unsure === 0 && !this.#clocks[0]!.halted ? this.#micro : undefined;
    const place = this.#place();
    const control = { buffer: this.control, offset: 0, bytes: this.controlBytes };
    const [bytes, ...others] = await readParts(this.device, [control, ...parts]);
    const records = this.#note(decodeControl(this.#plan, bytes!), place);
    this.#raise();
    this.#mustHaveRun(records, submitted);
    const { epoch, underflowed, micro: counted } = records[0]!;
    if (micro !== undefined && epoch === this.#epoch && !underflowed && counted % this.#plan.accumulate !== micro) {
      throw new DeviceError(
        `a gradient that accumulate was to add up is not there, since steps did not run: ${refusedWords}`,
      );
    }
    return [records, ...others];
  }

  /**
   * A step that the device refuses throws nothing and changes nothing. But each step that runs counts, as made or as skipped.
   *
   * @param submitted Updates of each replica that were submitted before the records were copied.
   * @throws DeviceError where some did not run; once for each of them.
   */
  #mustHaveRun(records: readonly ControlRecord[], submitted: readonly number[]): void {
    let missing = 0;
    records.forEach(({ epoch, step, skipped, astray, underflowed }, r) => {
      const clock = this.#clocks[r]!;
      const { checked } = clock;
      const due = submitted[r]! - checked.submitted;
      // Copies from before a load, or older than the last look.
      if (epoch !== this.#epoch || due < 0) return;
      const ran = step + skipped + astray;
      clock.checked = { ran, submitted: submitted[r]! };
      // The GPU counts modulo 2^32.
      if (!underflowed) missing = Math.max(missing, due - ((ran - checked.ran) >>> 0));
    });
    if (missing > 0) {
      throw new DeviceError(`${missing} of the steps submitted before did not run: ${refusedWords}`);
    }
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
    const [, ...records] = await this.#readChecked(
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
    const [, ...parts] = await this.#readChecked(sources);
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

function mustEncodeInto(target: GPUCommandEncoder | GPUComputePassEncoder, call = "encode"): void {
  const { dispatchWorkgroups, beginComputePass } = Object(target);
  if (typeof dispatchWorkgroups === "function" || typeof beginComputePass === "function") return;
  throw new OptionError(
    `${call} was given ${show(target)}; it must be a GPUCommandEncoder or an open GPUComputePassEncoder`,
  );
}

function astrayMessage(updates: number, plan: Plan): string {
  const were = updates === 1 ? "1 update was" : `${updates} updates were`;
  return `${were} not made: the GPU was more than ${windowSlots(plan)} steps behind what was encoded, by encoders that were dropped or submitted all at once or by skipped steps, and no longer had the rates; go on, and await stats() at least once in so many steps`;
}

function missedMessage(gradients: number): string {
  const were = gradients === 1 ? "1 gradient was" : `${gradients} gradients were`;
  return `${were} left out of the means of accumulate, since an encoder before was never submitted, or later than those after it; go on, and await stats() after dropping an encoder`;
}
