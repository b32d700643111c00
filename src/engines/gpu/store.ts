// The buffers of an optimizer on the GPU: encodes steps over them, writes them, and reads them back with proof that everything
// submitted before has run.

import { DeviceError } from "../../base/errors.ts";
import type { Segment } from "../../optimizer/arena.ts";
import type { Hypers } from "../../optimizer/hypers.ts";
import { fromStored, type Range, rangeWords, toStored } from "../../optimizer/locations.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import type { Plan } from "../../optimizer/plan.ts";
import type { Clock, Fetched, Past, Store, Write } from "../../optimizer/store.ts";
import { failureOf, watched } from "./allocate.ts";
import type { SharedBuffers } from "./build.ts";
import {
  type ControlField,
  type ControlRecord,
  controlBytes,
  controlRecord,
  decodeControl,
  encodeControl,
  halted,
} from "./control.ts";
import { deviceLoss, lossText } from "./device.ts";
import { encodeDispatches, leavePass } from "./kernel.ts";
import { Ledger } from "./ledger.ts";
import { type CopySource, KeptStaging, ReadbackPool, readParts } from "./readback.ts";
import type { BuiltStages, Stages } from "./stages.ts";

/** Everything on the device that makes up an optimizer. */
export interface Made extends SharedBuffers, BuiltStages {
  /** A staging buffer for copies of the control buffer. */
  readonly reports: GPUBuffer | undefined;
}

/** A stretch of a buffer that holds several ranges. */
interface Stretch {
  readonly buffer: GPUBuffer;
  from: number;
  to: number;
}

export class BufferStore implements Store {
  readonly device: GPUDevice;
  readonly made: Made;
  readonly ledger: Ledger;
  readonly controlBytes: number;
  destroyed = false;
  readonly #plan: Plan;
  readonly #segments: readonly Segment[];
  readonly #stages: Stages;
  /** Everything that was created. */
  readonly #buffers: readonly GPUBuffer[];
  /** For copies of the control buffer that come with steps. */
  readonly #readback: ReadbackPool;
  /** For reads. */
  readonly #staging: KeptStaging;

  constructor(
    device: GPUDevice,
    plan: Plan,
    hypers: Hypers,
    segments: readonly Segment[],
    stages: Stages,
    made: Made,
    buffers: readonly GPUBuffer[],
  ) {
    this.device = device;
    this.made = made;
    this.controlBytes = controlBytes(plan) * plan.replicas;
    this.ledger = new Ledger(device.queue, made.table, plan, hypers);
    this.#plan = plan;
    this.#segments = segments;
    this.#stages = stages;
    this.#buffers = buffers;
    this.#readback = new ReadbackPool(device, this.controlBytes, "control", made.reports ? [made.reports] : []);
    this.#staging = new KeptStaging(device);
  }

  mustLive(call: string): void {
    if (this.destroyed) throw new DeviceError(`${call}() was called on a destroyed optimizer`);
    mustNotBeLost(this.device, `${call}() was called`);
  }

  next(replica: number): number {
    return this.ledger.replicas[replica]?.next ?? 0;
  }

  settle(): void {
    this.ledger.settle();
  }

  refreeze(): void {
    this.ledger.refreeze();
  }

  expire(): void {
    this.ledger.expire();
  }

  recut(): void {
    for (const { buffer, encode } of this.made.tables) this.device.queue.writeBuffer(buffer, 0, encode());
  }

  /** One gradient, and its update if it completes one, into a target that the caller submits. */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.ledger.raise();
    this.ledger.mustTake(target);
    this.#encode(target, false);
    this.ledger.noteEncoded(target);
  }

  #encode(target: GPUCommandEncoder | GPUComputePassEncoder, submits: boolean): void {
    const order = this.ledger.order(submits);
    const { accumulate, update } = this.made;
    const dispatch = (pass: GPUComputePassEncoder) => {
      if (order.asksGpu) encodeDispatches(pass, update);
      encodeDispatches(pass, accumulate);
      if (order.full || order.asksGpu) encodeDispatches(pass, update);
    };
    if ("dispatchWorkgroups" in target) {
      dispatch(target);
      leavePass(this.device, target);
    } else {
      const pass = target.beginComputePass({ label: "fallline update" });
      dispatch(pass);
      pass.end();
    }
    this.ledger.noteGradient(order);
  }

  step(): void {
    const { ledger } = this;
    ledger.raise();
    // After dropped encoders, only the GPU knows which gradient completes an update.
    const [before, sure] = [ledger.updates, ledger.isSure];
    const encoder = this.device.createCommandEncoder({ label: "fallline step" });
    this.#encode(encoder, true);
    this.#submitStep(encoder.finish());
    if (ledger.updates !== before && sure) ledger.noteStep();
  }

  /** Submits a step, and now and then a copy of the control buffer with it, which reports skips. */
  #submitStep(commands: GPUCommandBuffer): void {
    const { ledger } = this;
    const copies = ledger.copyWithStep();
    if (!copies) {
      this.device.queue.submit([commands]);
      return;
    }
    const staging = this.#readback.take();
    const copying = this.device.createCommandEncoder({ label: "fallline report" });
    copying.copyBufferToBuffer(this.made.control, 0, staging.buffer, 0, this.controlBytes);
    staging.mark(copying);
    const copy = copying.finish();
    const place = ledger.place(copies === "before");
    this.device.queue.submit(copies === "before" ? [copy, commands] : [commands, copy]);
    ledger.noteCopy();
    this.#readback.collect(staging).then(
      (bytes) => ledger.learn(decodeControl(this.#plan, bytes), place),
      // The device was lost, the optimizer destroyed or the submission refused: the next call or read throws.
      () => {},
    );
  }

  zeroGrad(): void {
    const encoder = this.device.createCommandEncoder({ label: "fallline zeroGrad" });
    for (const page of this.made.gradients) encoder.clearBuffer(page);
    for (const { external, length } of this.#segments) {
      if (external) encoder.clearBuffer(external.gradients.buffer, external.gradients.offset, length * 4);
    }
    this.device.queue.submit([encoder.finish()]);
  }

  setHalted(replica: number, value: boolean): void {
    const state = this.ledger.replicas[replica]!;
    if (state.halted === value) return;
    state.halted = value;
    const word = Uint32Array.of(value ? halted : 0);
    this.device.queue.writeBuffer(this.made.control, 4 * this.controlIndex("skip", replica), word);
  }

  isHalted(replica: number): boolean {
    return this.ledger.replicas[replica]!.halted;
  }

  /** The place of a replica's field, in words of the control buffer. */
  controlIndex(field: ControlField, replica: number): number {
    return (replica * controlBytes(this.#plan)) / 4 + controlRecord.index(field);
  }

  /** The buffer that holds a range, and the start of a replica's range in it, in bytes. */
  place(
    { home, offset, stride, external }: Range,
    replica: number,
  ): { readonly buffer: GPUBuffer; readonly at: number } {
    const { params, gradients, accumulated, states, scalars } = this.made;
    const { kind, index } = home;
    const arenas = { params, gradients, accumulated, state: states, scalars };
    return { buffer: external ?? arenas[kind][index]!, at: 4 * (offset + replica * stride) };
  }

  async fetch(ranges: readonly Range[], replica: number): Promise<Fetched> {
    // Ranges in one of our buffers are copied as one stretch.
    const stretches = new Map<unknown, Stretch>();
    const wanted = ranges.map((range) => {
      const { buffer, at } = this.place(range, replica);
      const key = range.external ? range : buffer;
      const to = at + 4 * rangeWords(range);
      const stretch = stretches.get(key) ?? { buffer, from: at, to };
      stretch.from = Math.min(stretch.from, at);
      stretch.to = Math.max(stretch.to, to);
      stretches.set(key, stretch);
      return { stretch, at, to };
    });
    const order = [...stretches.values()];
    const [records, ...parts] = await this.#readChecked(
      order.map(({ buffer, from, to }) => ({ buffer, offset: from, bytes: to - from })),
    );
    const copies = new Map(order.map((stretch, i) => [stretch, parts[i]!]));
    const values = wanted.map(({ stretch, at, to }, i) => {
      const { from } = stretch;
      const whole = at === from && to === stretch.to;
      const copy = copies.get(stretch)!;
      return fromStored(ranges[i]!, new Float32Array(whole ? copy : copy.slice(at - from, to - from)));
    });
    const record = records[replica]!;
    return { record, values, past: () => this.ledger.past(replica, record.step) };
  }

  async layers(replica: number): Promise<readonly LayerStats[]> {
    const bytes = this.#stages.layerStatsBytes;
    const [, copy] = await this.#readChecked([{ buffer: this.made.layerStats!, offset: replica * bytes, bytes }]);
    return this.#stages.layers(copy!);
  }

  /**
   * Reads parts of buffers and the control buffer after everything submitted so far, and learns from them whether steps were
   * skipped and whether all of them ran.
   *
   * @throws DeviceError where the device refused the copy, or steps before it.
   */
  async #readChecked(
    parts: readonly CopySource[],
  ): Promise<readonly [records: readonly ControlRecord[], ...parts: ArrayBuffer[]]> {
    const { ledger } = this;
    const place = ledger.place();
    const control = { buffer: this.made.control, offset: 0, bytes: this.controlBytes };
    const [bytes, ...others] = await readParts(this.device, [control, ...parts], undefined, this.#staging);
    const records = decodeControl(this.#plan, bytes!);
    ledger.learn(records, place);
    ledger.raise();
    ledger.mustHaveRun(records, place);
    return [records, ...others];
  }

  write(writes: readonly Write[]): void {
    for (const { range, replica, values } of writes) {
      if (values.length === 0) continue;
      const { buffer, at } = this.place(range, replica);
      this.device.queue.writeBuffer(buffer, at, toStored(range, values));
    }
  }

  async restore(
    clocks: readonly Clock[],
    pasts: readonly Past[],
    micro: number,
    writes: readonly Write[],
  ): Promise<void> {
    const { device, ledger, made } = this;
    ledger.restart(clocks, pasts, micro);
    const { thrown, trouble } = watched(device, () => {
      this.write(writes);
      const isHalted = (r: number) => ledger.replicas[r]!.halted;
      device.queue.writeBuffer(made.control, 0, encodeControl(this.#plan, clocks, ledger.epoch, micro, isHalted));
      if (!made.layerStats) return;
      const encoder = device.createCommandEncoder({ label: "fallline load" });
      encoder.clearBuffer(made.layerStats);
      device.queue.submit([encoder.finish()]);
    });
    const failure = await failureOf(device, "what was loaded", await trouble, thrown);
    if (failure) throw failure;
  }

  destroy(): void {
    this.destroyed = true;
    for (const buffer of this.#buffers) buffer.destroy();
    this.#readback.destroy();
    this.#staging.destroy();
  }
}

/** @throws DeviceError where the device was lost. */
export function mustNotBeLost(device: GPUDevice, what: string): void {
  const { info } = deviceLoss(device);
  if (info) {
    throw new DeviceError(`${what} after ${lossText(info)}; create an optimizer on a new device and load a checkpoint`);
  }
}
