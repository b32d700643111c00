// The host's knowledge of the GPU's progress: from what was encoded, what was submitted, and copies of the control buffer.
// Encoders may be dropped or late and steps skipped, so it keeps bounds, and learns what was lost.

import { DeviceError, OptionError } from "../../base/errors.ts";
import type { Hypers } from "../../optimizer/hypers.ts";
import { mustStep } from "../../optimizer/optimizer.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { type Clock, type Past, pastOf } from "../../optimizer/store.ts";
import type { Change } from "../../optimizer/table.ts";
import type { ControlRecord } from "./control.ts";
import { mostSlots, RowRing, ringSlots } from "./row_ring.ts";

/**
 * Steps before the next one whose rates `set` also replaces, if that many may have been encoded and never submitted; eight times
 * the number encoded since the last `set`, if that is more. A larger reach would make it expensive to set a rate at every step.
 */
const setReach = 32;

/** The same if steps may have been skipped without a report. */
const skipReach = 256;

/** `step()` reads the control buffer back every so many steps, without waiting, to learn of skips. */
const reportInterval = 64;

/** One replica's progress, as far as the host knows. */
interface ReplicaState {
  /** The step of the next update, unless some before it were skipped or never submitted. */
  next: number;
  /** The last reported state of the GPU, which may be further by now. */
  reported: { step: number; skipped: number };
  /** Updates encoded since the last load. */
  encoded: number;
  /** {@link encoded} when the last copy of a known place was submitted. */
  placed: number;
  /** The last change of hypers: the step expected next, updates by then including skipped ones, and {@link encoded}. */
  changed: Change & { step: number };
  /** Updates and gradients that were lost, as far as reported. */
  lost: { astray: number; missed: number };
  /** Updates submitted by `step`; each became a step or a skip, or was lost. */
  submitted: number;
  /** The replica's progress at the last check that all of these had run. */
  checked: { ran: number; submitted: number };
  /** Whether the replica takes no steps. */
  halted: boolean;
  /** Why it takes no more steps, once that is reported. */
  underflow: string | undefined;
  readonly rowRing: RowRing;
}

/** How much was encoded when a copy of the control buffer was submitted: the copy reports on everything before. */
export interface Place {
  readonly epoch: number;
  readonly gradients: number;
  readonly unsure: number;
  /** By replica. */
  readonly encoded: readonly number[];
  /** By replica, the updates submitted by `step`. */
  readonly submitted: readonly number[];
  /** Gradients added up by then, where the host can know. */
  readonly micro: number | undefined;
}

/** The work that a call of `encode` or `step` must encode. */
export interface Order {
  /** Whether the update follows if everything encoded is submitted. */
  readonly full: boolean;
  /** Whether the GPU decides, before and after the gradient is added, since the host cannot know. */
  readonly asksGpu: boolean;
}

type Target = GPUCommandEncoder | GPUComputePassEncoder;

/** Why a submission left no trace. */
const refusedMessage =
  "the device refused them, as its uncapturederror event says; a buffer that they use may be destroyed, mapped or invalid";

export class Ledger {
  /** Updates encoded. */
  updates = 0;
  /** Checkpoints loaded so far: reports from before the last one are stale. */
  epoch = 0;
  readonly replicas: readonly ReplicaState[];
  readonly #plan: Plan;
  /** Calls of `encode` per encoder or pass, which expose a caller who never submits. */
  readonly #calls = new WeakMap<object, number>();
  readonly #mostCalls: number;
  /** Gradients added up since the last update, if everything encoded is submitted; the GPU keeps its own count. */
  #micro = 0;
  /** Calls of `encode` and `step`. */
  #gradients = 0;
  /** {@link updates} at the last change of hypers. */
  #updatesAtChange = 0;
  /** Calls of `encode` that may not have been submitted, since the last copy that showed it. */
  #unsure = 0;
  /** Those of them without an `await` in between. */
  #unsureInTurn = 0;
  /** {@link #gradients} at the last copy of a known place. */
  #gradientsPlaced = 0;
  /** The error that the next call throws. */
  #trouble: DeviceError | undefined;
  /** Whether the values that rules carry depend on unreported skips, and so on where hypers change. */
  readonly #carriesOn: boolean;
  /** Whether the next step must report how many were skipped before it. */
  #asks = false;

  constructor(queue: GPUQueue, table: GPUBuffer, plan: Plan, hypers: Hypers) {
    this.#plan = plan;
    this.#carriesOn = plan.ruleSets.some(({ rule }) => rule.carry);
    this.#mostCalls = Math.min(2048, ringSlots(plan) / 2) * plan.accumulate;
    this.replicas = Array.from({ length: plan.replicas }, (_, replica) => ({
      ...newState({ step: 0, skipped: 0 }, 0),
      submitted: 0,
      halted: false,
      rowRing: new RowRing(queue, table, plan, hypers, replica),
    }));
  }

  past(replica: number, step: number): Past {
    return pastOf(this.replicas[replica]!.rowRing.sources, step);
  }

  /** Before `encode` into a target that the caller submits. */
  mustTake(target: Target): void {
    const calls = this.#calls.get(target) ?? 0;
    if (calls >= this.#mostCalls) {
      throw new OptionError(
        `encode was called ${calls + 1} times for one submission; it takes at most ${this.#mostCalls}`,
      );
    }
    const most = mostSlots * this.#plan.accumulate;
    if (this.#unsureInTurn >= most) {
      throw new OptionError(
        `encode was called ${this.#unsureInTurn + 1} times without an await; it takes at most ${most}: await device.queue.onSubmittedWorkDone() occasionally, or call markSubmitted() after each submission`,
      );
    }
  }

  /** After `encode`. */
  noteEncoded(target: Target): void {
    this.#calls.set(target, (this.#calls.get(target) ?? 0) + 1);
    if (this.#unsureInTurn === 0) queueMicrotask(this.#endTurn);
    this.#unsureInTurn++;
    this.#unsure++;
  }

  readonly #endTurn = () => {
    this.#unsureInTurn = 0;
  };

  /** Everything encoded into a target has been submitted. */
  markSubmitted(target: Target): void {
    const calls = this.#calls.get(target) ?? 0;
    this.#calls.delete(target);
    this.#unsure = Math.max(0, this.#unsure - calls);
    this.#unsureInTurn = Math.max(0, this.#unsureInTurn - calls);
  }

  /**
   * Counts one more gradient, and provides the rows of its update if it makes one.
   *
   * @param submits Whether the gradient is submitted at once.
   */
  order(submits: boolean): Order {
    mustStep(this.replicas);
    const { accumulate } = this.#plan;
    const full = this.#micro + 1 === accumulate;
    // Encoders may have been dropped, or may still come: only the GPU knows when an update's gradients are complete.
    const asksGpu = submits && accumulate > 1 && this.#unsure > 0;
    if (full || asksGpu) this.#provide(full);
    return { full, asksGpu };
  }

  /** After the order is encoded. */
  noteGradient({ full }: Order): void {
    this.#micro = full ? 0 : this.#micro + 1;
    this.#gradients++;
  }

  /** Whether the host knows which gradient completes an update. */
  get isSure(): boolean {
    return this.#plan.accumulate === 1 || this.#unsure === 0;
  }

  /** After the submission of an update, which runs unless the device refuses it. */
  noteStep(): void {
    for (const replica of this.replicas) if (!replica.halted) replica.submitted++;
  }

  /** Whether a step must come with a copy of the control buffer, made before or after it. */
  copyWithStep(): "before" | "after" | undefined {
    if (this.#asks) return "before";
    const reports = this.#plan.skipNonFinite || this.#unsure > 0;
    return reports && this.#micro === 0 && this.updates % reportInterval === 0 ? "after" : undefined;
  }

  /** After the copy was submitted. */
  noteCopy(): void {
    this.#asks = false;
  }

  /**
   * Makes sure that the rows of the update about to be encoded are there.
   *
   * @param full Whether the update follows if everything encoded is submitted; else the GPU may find that it does.
   */
  #provide(full: boolean): void {
    const running = this.replicas.filter(({ halted, underflow }) => !halted && underflow === undefined);
    const spare = this.#plan.accumulate > 1;
    for (const replica of running) {
      const floor = this.#floor(replica);
      replica.rowRing.provide(replica.next, floor, replica.next - floor - this.#unsure, spare);
    }
    if (!full) return;
    for (const replica of running) {
      replica.next++;
      replica.encoded++;
    }
    this.updates++;
  }

  /** The least step that the GPU has reached by now. */
  #floor({ next, reported }: ReplicaState): number {
    return this.#plan.skipNonFinite ? reported.step : Math.max(reported.step, next - this.#unsure);
  }

  #mayBeBehind(): boolean {
    return this.replicas.some((replica) => replica.next !== this.#floor(replica));
  }

  /** Remakes the rows that the GPU may still read: their contents have changed. */
  expire(): void {
    const reach = Math.max(this.#plan.skipNonFinite ? skipReach : setReach, 8 * (this.updates - this.#updatesAtChange));
    this.#updatesAtChange = this.updates;
    for (const replica of this.replicas) {
      replica.rowRing.expire(Math.max(this.#floor(replica), replica.next - reach));
    }
  }

  /**
   * Before hypers change: the values that rules carried up to the next step stay. After unreported skips or drops that step comes
   * earlier, and the values carried into the steps between depend on it, so the GPU will be asked where it is.
   */
  settle(): void {
    for (const replica of this.replicas) {
      const { next, reported, encoded, rowRing } = replica;
      replica.changed = { step: next, updates: next + reported.skipped, encoded };
      for (const source of rowRing.sources) source.settle(next);
    }
    this.#asks = this.#carriesOn && this.#mayBeBehind();
  }

  /**
   * How many updates a group has made depends on the step at which it is frozen or thawed; the values it carries depend on the
   * step of a change.
   */
  refreeze(): void {
    for (const { rowRing, next, changed } of this.replicas) {
      for (const source of rowRing.sources) source.refreeze(next, changed);
    }
    this.#asks ||= this.#mayBeBehind();
  }

  /** Starts again at a checkpoint's step. */
  restart(clocks: readonly Clock[], pasts: readonly Past[], micro: number): void {
    this.epoch++;
    this.#micro = micro;
    this.#unsure = 0;
    this.#trouble = undefined;
    this.replicas.forEach((replica, r) => {
      const { step } = clocks[r]!;
      const { carried, made } = pasts[r]!;
      Object.assign(replica, newState(clocks[r]!, replica.submitted));
      replica.rowRing.restart(step);
      replica.rowRing.sources.forEach((source, ruleSet) => {
        source.restore(step, carried[ruleSet]!, made[ruleSet]!);
      });
    });
  }

  /**
   * The place of a copy of the control buffer that is submitted now.
   *
   * @param before Whether the copy is made before the step that was encoded last.
   */
  place(before = false): Place {
    const last = Number(before);
    return {
      epoch: this.epoch,
      gradients: this.#gradients - last,
      unsure: this.#unsure,
      encoded: this.replicas.map(({ encoded }) => encoded - (this.#micro === 0 ? last : 0)),
      submitted: this.replicas.map(({ submitted }) => submitted),
      micro: this.#unsure === 0 && !this.replicas[0]!.halted ? this.#micro : undefined,
    };
  }

  /** Learns from a copy of the control buffer; if its place is given, also what was dropped before it. */
  learn(records: readonly ControlRecord[], place?: Place): void {
    const placed = place !== undefined && place.epoch === this.epoch && place.gradients >= this.#gradientsPlaced;
    records.forEach((record, r) => {
      const { epoch, step, skipped, underflowed, lossScale } = record;
      // Copies from before a load hold nothing new.
      if (epoch !== this.epoch) return;
      const replica = this.replicas[r]!;
      const { changed, rowRing, reported } = replica;
      this.#learnLosses(replica, record);
      const encoded = placed && place.encoded[r]! >= replica.placed ? place.encoded[r]! : undefined;
      // Nor do copies older than the last report.
      const total = reported.step + reported.skipped;
      if (step + skipped < total || (step + skipped === total && encoded === undefined)) return;
      // Anything encoded before a copy of a known place, and not counted in it, was skipped or dropped.
      const delay =
        encoded === undefined ? skipped - reported.skipped : replica.next - (step + replica.encoded - encoded);
      replica.next = Math.max(step, replica.next - delay);
      replica.reported = { step, skipped };
      replica.placed = encoded ?? replica.placed;
      const isBefore = (change: Change) =>
        encoded === undefined ? step + skipped <= change.updates : encoded <= change.encoded;
      if (delay > 0) {
        for (const source of rowRing.sources) {
          const from = source.delay(isBefore, delay, step);
          if (from !== undefined) rowRing.expire(from);
        }
      }
      // Before the change of hypers, which therefore took effect at an earlier step.
      if (delay > 0 && isBefore(changed)) {
        changed.step = Math.max(step, changed.step - delay);
        for (const source of rowRing.sources) source.settle(changed.step);
        rowRing.expire(changed.step);
      }
      // Skips or dropped encoders have left the ring ahead of the GPU: move it back to where the GPU is.
      if (rowRing.fallBack(step) && encoded === undefined) {
        for (const source of rowRing.sources) source.fallBack(step);
        replica.next = step;
      }
      if (underflowed) replica.underflow ??= this.#plan.lossScale!.underflow(step, lossScale);
    });
    if (placed && records[0]!.epoch === this.epoch) {
      this.#micro = (records[0]!.micro + this.#gradients - place.gradients) % this.#plan.accumulate;
      this.#unsure = Math.max(0, this.#unsure - place.unsure);
      this.#gradientsPlaced = place.gradients;
    }
  }

  /** Keeps the error about lost updates and gradients for the next call. */
  #learnLosses(replica: ReplicaState, { astray, missed }: ControlRecord): void {
    const updates = astray - replica.lost.astray;
    const gradients = missed - replica.lost.missed;
    if (updates <= 0 && gradients <= 0) return;
    replica.lost = { astray, missed };
    this.#trouble ??= new DeviceError(updates > 0 ? astrayMessage(updates, this.#plan) : this.#plan.missed!(gradients));
  }

  /** @throws DeviceError that reports once what was lost. */
  raise(): void {
    const trouble = this.#trouble;
    this.#trouble = undefined;
    if (trouble) throw trouble;
  }

  /**
   * A step that the device refuses throws nothing and changes nothing. But every step that runs is counted, as made or as skipped.
   *
   * @throws DeviceError if some that were submitted before a copy did not run; once for each.
   */
  mustHaveRun(records: readonly ControlRecord[], { submitted, micro }: Place): void {
    let missing = 0;
    records.forEach(({ epoch, step, skipped, astray, underflowed }, r) => {
      const replica = this.replicas[r]!;
      const { checked } = replica;
      const due = submitted[r]! - checked.submitted;
      // Copies from before a load, or older than the last check.
      if (epoch !== this.epoch || due < 0) return;
      const ran = step + skipped + astray;
      replica.checked = { ran, submitted: submitted[r]! };
      // The GPU counts modulo 2^32.
      if (!underflowed) missing = Math.max(missing, due - ((ran - checked.ran) >>> 0));
    });
    if (missing > 0) {
      throw new DeviceError(`${missing} of the steps submitted earlier did not run: ${refusedMessage}`);
    }
    const { epoch, underflowed, micro: counted } = records[0]!;
    if (micro !== undefined && epoch === this.epoch && !underflowed && counted % this.#plan.accumulate !== micro) {
      throw new DeviceError(`accumulate lacks a gradient, since steps did not run: ${refusedMessage}`);
    }
  }
}

/** A replica that starts at a step, with nothing under way. */
function newState({ step, skipped }: Pick<Clock, "step" | "skipped">, submitted: number) {
  return {
    next: step,
    reported: { step, skipped },
    encoded: 0,
    placed: 0,
    changed: { step, updates: 0, encoded: 0 },
    lost: { astray: 0, missed: 0 },
    checked: { ran: step + skipped, submitted },
    underflow: undefined,
  };
}

function astrayMessage(updates: number, plan: Plan): string {
  const were = updates === 1 ? "1 update was" : `${updates} updates were`;
  return `${were} not made: the GPU was more than ${ringSlots(plan)} steps behind the encoding, after dropped or bulk-submitted encoders or skipped steps, and no longer had the rates; continue, and await stats() at least that often`;
}
