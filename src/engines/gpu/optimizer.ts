// The WebGPU optimizer: every tensor of every group of a rule in one dispatch, with the sums before it where they are needed.
// After creation, a step allocates nothing and needs from the host only a stretch of table rows now and then.

import { OptionError, show } from "../../base/errors.ts";
import { inMemory } from "../../base/host_memory.ts";
import { readChoice } from "../../base/options.ts";
import { together } from "../../base/together.ts";
import {
  arenaLength,
  layoutSegments,
  packArena,
  paddedLength,
  pagesOf,
  readTensors,
  type Tensors,
} from "../../optimizer/arena.ts";
import type { OptimizerConfig } from "../../optimizer/config.ts";
import { Hypers } from "../../optimizer/hypers.ts";
import { checkKeys } from "../../optimizer/keys.ts";
import { layoutRuleSet } from "../../optimizer/layout.ts";
import { type Locate, locationOf, scalarLength } from "../../optimizer/locations.ts";
import type { InReplica, Optimizer, Role, Stats } from "../../optimizer/optimizer.ts";
import { createPlan, type Plan, readRole } from "../../optimizer/plan.ts";
import { createShell, readOneReplica, statsOf } from "../../optimizer/shell.ts";
import type { Clock } from "../../optimizer/store.ts";
import { allocate, bytesOf } from "./allocate.ts";
import type { SharedBuffers } from "./build.ts";
import { decodeControl, encodeControl } from "./control.ts";
import { deviceLoss, readDevice } from "./device.ts";
import { prepareLeaving } from "./kernel.ts";
import { type StreamShape, streamShape } from "./kernel_shapes.ts";
import { stagingBytes } from "./readback.ts";
import { requireDevice } from "./requirements.ts";
import { tableBytes } from "./row_ring.ts";
import { compileStages } from "./stages.ts";
import { BufferStore, type Made, mustNotBeLost } from "./store.ts";

/** A field of the control buffer that your kernels may read. */
export type ControlField = "step" | "skip" | "lossScale";

const controlFields: readonly ControlField[] = ["step", "skip", "lossScale"];

/** An optimizer on the GPU, whose arenas are buffers on the caller's device. */
export interface GpuOptimizer extends Optimizer {
  /** Always "webgpu". */
  readonly backend: "webgpu";
  /** The device that it was created on. */
  readonly device: GPUDevice;
  /** The arena of the parameters (STORAGE | COPY_SRC | COPY_DST), replica after replica. */
  readonly params: GPUBuffer;
  /** The arena of the gradients: write them here, with your own kernel or `write("gradients", …)`. */
  readonly gradients: GPUBuffer;
  /** The control buffer: step, skips, norm, loss scale; {@link GpuOptimizer.observeControl} reads a copy of it. */
  readonly control: GPUBuffer;
  /** Bytes of the control buffer. */
  readonly controlBytes: number;
  /** Updates encoded so far, submitted or not; with `accumulate` only some calls of `encode` and `step` encode one. */
  readonly updates: number;
  /** Whether `destroy` was called. */
  readonly destroyed: boolean;
  /**
   * The place in the control buffer of a replica's field (default: the first), in words of 4 bytes: `"step"`, a u32, the updates
   * made; `"skip"`, a u32 that is 2 while the replica is halted; `"lossScale"`, an f32, the factor for the next loss.
   */
  controlIndex(field: ControlField, where?: InReplica): number;
  /**
   * Encodes one update: 1 dispatch, or more with clipping, skipping and rules that sum (docs/rules.md). Opens a pass of its
   * own in a command encoder, or uses an open compute pass. Submits nothing, reads nothing back, and creates nothing.
   *
   * An open pass is left without a bind group 0: set your own pipeline and bind group before you dispatch again. A dispatch
   * without them is a validation error that makes the whole submission fail. A command encoder has no such state.
   *
   * The update takes the rates of the GPU's own step when it runs, so encoders may be submitted in any order, and one that is
   * never submitted uses up no step. The table holds 5,120 steps (512 and more with hundreds of groups or replicas): an update
   * whose step is no longer among them, after that many dropped encoders, updates submitted at once or unreported skips, changes
   * nothing, and the next `step`, `encode`, `stats`, `read`, `saveCheckpoint` or `observeControl` throws a DeviceError with their
   * number; updates encoded after that are correct again. To lose none, `await stats()` after dropping encoders. With
   * `accumulate` the GPU counts the gradients, so an update always has the right number of them. After a dropped encoder, until
   * the next report, one gradient may be left out, which is reported in the same way.
   *
   * In rules that carry values from step to step (asgd its rate), a `set` takes effect late by the number of unreported skips and
   * dropped encoders, until `step`, `read` or `stats` learns of them.
   *
   * @throws OptionError for a target that is neither an encoder nor a pass; if a hyper's schedule leaves its range at this step;
   * when more than 2,048 updates (256 and more with hundreds of groups or replicas) are encoded into one encoder or pass, or more
   * than 5,120 without an `await` and without {@link GpuOptimizer.markSubmitted}. DataError as {@link Optimizer.step}.
   * DeviceError after `destroy` or device loss, and if updates were lost. Nothing is encoded then.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /**
   * Marks everything encoded into `target` as submitted. This is optional: it allows a loop without an `await` to encode and
   * submit any number of updates, and if encoders were dropped elsewhere, the host learns more precisely how far the GPU is.
   */
  markSubmitted(target: GPUCommandEncoder | GPUComputePassEncoder): void;
  /**
   * One tensor's part of an arena, ready for a bind group; up to 3 elements of zero padding follow the tensor. For a tensor in an
   * external buffer, its part of that buffer, whose offset may not be bindable.
   */
  binding(role: Role, name: string, where?: InReplica): GPUBufferBinding & { readonly offset: number };
  /**
   * Reads a copy of the control buffer that the caller made, and learns from it how many steps were skipped; by replica.
   *
   * @throws OptionError for a copy that is too short; DeviceError if updates were lost ({@link GpuOptimizer.encode}).
   */
  observeControl(bytes: ArrayBuffer, offset?: number): readonly Stats[];
}

/**
 * Creates an optimizer on `device` over its own arenas for `tensors`; those that {@link external} makes are in your buffers.
 *
 * @throws OptionError for bad tensors or a bad config; DeviceError if the device's limits or memory do not suffice or the rule's
 * WGSL does not compile. Nothing is left behind then.
 */
export function createOptimizer(device: GPUDevice, tensors: Tensors, config: OptimizerConfig): Promise<GpuOptimizer> {
  return createShaped(device, tensors, config);
}

/**
 * Like {@link createOptimizer}, in a given shape of the kernels instead of the one chosen for the device, and with arenas in
 * pages of `pageLength` elements; `params` and `gradients` are the first pages.
 */
export async function createShaped(
  device: GPUDevice,
  tensors: Tensors,
  config: OptimizerConfig,
  shape?: StreamShape,
  pageLength?: number,
): Promise<GpuOptimizer> {
  readDevice(device);
  const list = readTensors(tensors);
  const segments = layoutSegments(list, pageLength);
  const plan = createPlan(config, segments);
  const hypers = new Hypers(plan);
  checkKeys(plan, segments);
  const external = segments.find((segment) => segment.external)?.external;
  external?.check(device, plan, segments);
  const layouts = plan.ruleSets.map((ruleSet) => layoutRuleSet(plan, ruleSet, segments));
  requireDevice(device, plan, layouts, segments);
  const { replicas } = plan;
  const pages = pagesOf(segments);
  // Before anything is awaited, since the caller may fill these arrays anew.
  const initial = inMemory("the tensors' data", () =>
    pages.map((page) =>
      segments.some((segment, i) => segment.page === page && list[i]!.data)
        ? bytesOf(packArena(segments, list, page, replicas))
        : undefined,
    ),
  );
  // A loss is reported after a turn of the event loop.
  deviceLoss(device);
  await undefined;
  mustNotBeLost(device, "createOptimizer was called");
  const lengths = pages.map((page) => paddedLength(segments, page));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const compiling = compileStages(device, plan, layouts, segments, shape ?? streamShape(device));
  // While kernels compile, arenas and slots are made.
  const purpose = `${total * replicas} parameters`;
  const arenas = pages.map((page) => arenaLength(segments, page) * replicas * 4);
  const clocks = Array.from({ length: replicas }, () => newClock(plan));
  const control = encodeControl(plan, clocks, 0, 0);
  const stocking = allocate(device, purpose, (create): SharedBuffers & Pick<Made, "reports"> => {
    prepareLeaving(device);
    const states = layouts.map((layout) => create("state", layout.stateLength * replicas * 4));
    // Else the first step would do it.
    const encoder = device.createCommandEncoder({ label: "fallline begin" });
    for (const buffer of states) encoder.clearBuffer(buffer);
    device.queue.submit([encoder.finish()]);
    return {
      params: pages.map((page) => create("params", arenas[page]!, initial[page])),
      gradients: arenas.map((bytes) => create("gradients", bytes)),
      accumulated: plan.accumulate > 1 ? lengths.map((length) => create("accumulated", length * replicas * 4)) : [],
      control: create("control", control.byteLength, control),
      table: create("table", tableBytes(plan)),
      states,
      scalars: layouts.map((layout) => create("scalars", scalarLength(layout) * replicas * 4)),
      // What steps need to learn of skips, so that they make nothing as a rule.
      reports: plan.skipNonFinite
        ? create("control", stagingBytes(control.byteLength), undefined, "readback")
        : undefined,
    };
  });
  try {
    const [stages, stock] = await together([compiling, stocking]);
    const built = await allocate(device, purpose, (create) => stages.build(create, stock.made));
    const all = [...stock.buffers, ...built.buffers];
    const store = new BufferStore(device, plan, hypers, segments, stages, { ...stock.made, ...built.made }, all);
    return createShell({ plan, hypers, layouts, segments, store }, (locate) => engineOf(plan, store, locate));
  } catch (error) {
    const [stock] = await Promise.allSettled([stocking]);
    if (stock.status === "fulfilled") for (const buffer of stock.value.buffers) buffer.destroy();
    throw (await external?.refused(device, segments)) ?? error;
  }
}

/** The part that only an optimizer on the GPU has. */
function engineOf(plan: Plan, store: BufferStore, locate: Locate): Omit<GpuOptimizer, keyof Optimizer> & Engine {
  const { device, ledger, made } = store;
  return {
    backend: "webgpu",
    device,
    params: made.params[0]!,
    gradients: made.gradients[0]!,
    control: made.control,
    controlBytes: store.controlBytes,
    get updates() {
      return ledger.updates;
    },
    get destroyed() {
      return store.destroyed;
    },
    controlIndex(field, where) {
      const replica = readOneReplica(plan, "controlIndex", where);
      return store.controlIndex(readChoice("controlIndex", field, controlFields), replica);
    },
    encode(target) {
      store.mustLive("encode");
      mustEncodeInto(target);
      store.encode(target);
    },
    markSubmitted(target) {
      store.mustLive("markSubmitted");
      mustEncodeInto(target, "markSubmitted");
      ledger.markSubmitted(target);
    },
    binding(role, name, where) {
      store.mustLive("binding");
      readRole(plan, role);
      const replica = readOneReplica(plan, "binding", where);
      const location = locationOf(locate(role), "binding", name);
      const { buffer, at } = store.place(location, replica);
      // Up to the next multiple of 16 bytes, so that kernels may read vec4s; the padding is zero.
      const size = location.external ? location.length * 4 : Math.ceil(location.length / 4) * 16;
      return { buffer, offset: at, size };
    },
    observeControl(bytes, offset = 0) {
      const records = decodeControl(plan, bytes, offset);
      ledger.learn(records);
      ledger.raise();
      return records.map(statsOf);
    },
  };
}

type Engine = Pick<GpuOptimizer, "backend">;

const newClock = ({ lossScale }: Plan): Clock => ({
  step: 0,
  skipped: 0,
  lossScale: lossScale?.init ?? 1,
  goodSteps: 0,
});

function mustEncodeInto(target: GPUCommandEncoder | GPUComputePassEncoder, call = "encode"): void {
  const { dispatchWorkgroups, beginComputePass } = Object(target);
  if (typeof dispatchWorkgroups === "function" || typeof beginComputePass === "function") return;
  throw new OptionError(
    `${call} was given ${show(target)}; it must be a GPUCommandEncoder or an open GPUComputePassEncoder`,
  );
}
