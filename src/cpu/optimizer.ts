// The CPU reference: the same interface and the same plan as the WebGPU optimizer, with each rule's twin in its loop.
// Arithmetic is float64, storage float32, and nothing is faster than it is plain.
import {
  arenaLength,
  layoutSegments,
  matchSegments,
  packArena,
  paddedLength,
  type Segment,
  type Tensor,
} from "../arena.ts";
import { largestLossScale } from "../around_plan.ts";
import { type Clock, checkKeys, describePlan, encodeCheckpoint, openCheckpoint, type Snapshot } from "../checkpoint.ts";
import { DeviceError, OptionError, show } from "../errors.ts";
import { evaluationValues } from "../evaluation.ts";
import { inMemory } from "../host_memory.ts";
import { layoutPart, type PartLayout, scalarValues, slotRange } from "../layout.ts";
import {
  type LayerStats,
  type LoadOptions,
  mustStep,
  type Optimizer,
  type Role,
  type Stats,
  type TensorValues,
  underflowMessage,
  unwatchedMessage,
} from "../optimizer.ts";
import {
  clipBins,
  createPlan,
  needsNorm,
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
import { type PartState, partState, type Row, updatePart } from "./part.ts";

/** An optimizer on the CPU, whose arenas are plain arrays. */
export interface CpuOptimizer extends Optimizer {
  readonly backend: "cpu";
  /** The arena of the parameters, replica after replica; a segment is `params.subarray(offset, offset + length)`. */
  readonly params: Float32Array<ArrayBuffer>;
  /** The arena of the gradients. */
  readonly gradients: Float32Array<ArrayBuffer>;
  /** What the next loss of a replica (default: the first) is to be multiplied by; 1 without loss scaling. */
  lossScaleOf(replica?: number): number;
  /** Updates that a replica (default: the first) has made. */
  stepOf(replica?: number): number;
  isHalted(replica: number): boolean;
}

/**
 * Creates the CPU reference of an optimizer.
 *
 * @throws OptionError for bad tensors or a bad config; DeviceError where the process has no memory for them.
 */
export function createCpuOptimizer(tensors: readonly Tensor[], config: OptimizerConfig): CpuOptimizer {
  const segments = layoutSegments(tensors);
  const own = segments.find((segment) => segment.own);
  if (own)
    throw new OptionError(`tensor "${own.name}" is in a GPUBuffer, which only an optimizer on a device can update`);
  const plan = createPlan(config, segments);
  checkKeys(plan, segments);
  return inMemory(
    `${paddedLength(segments)} parameters and their state, ${plan.replicas} × as float32`,
    () => new ReferenceOptimizer(segments, plan, packArena(segments, tensors)),
  );
}

/** One copy of everything. */
interface Replica {
  readonly params: Float32Array<ArrayBuffer>;
  readonly gradients: Float32Array<ArrayBuffer>;
  /** Gradients added up, where several make one update. */
  readonly accumulated: Float32Array<ArrayBuffer>;
  readonly parts: readonly PartState[];
  clock: Clock;
  gradientNorm: number;
  groupNorms: readonly number[];
  clipScale: number;
  /** Why it makes no more steps. */
  underflow: string | undefined;
  halted: boolean;
  /** By the tensor's place; empty where nothing is noted. */
  noted: readonly LayerStats[];
}

class ReferenceOptimizer implements CpuOptimizer {
  readonly backend = "cpu";
  readonly segments: readonly Segment[];
  readonly params: Float32Array<ArrayBuffer>;
  readonly gradients: Float32Array<ArrayBuffer>;
  readonly #plan: Plan;
  readonly #layouts: readonly PartLayout[];
  readonly #replicas: readonly Replica[];
  /** Gradients added up since the last update. */
  #micro = 0;
  #destroyed = false;

  constructor(segments: readonly Segment[], plan: Plan, params: Float32Array<ArrayBuffer>) {
    const length = arenaLength(segments);
    this.segments = segments;
    this.#plan = plan;
    this.#layouts = plan.parts.map((part) => layoutPart(plan, part, segments));
    this.params = new Float32Array(length * plan.replicas);
    this.gradients = new Float32Array(length * plan.replicas);
    this.#replicas = Array.from({ length: plan.replicas }, (_, r) => {
      const own = this.params.subarray(r * length, (r + 1) * length);
      own.set(params);
      return {
        params: own,
        gradients: this.gradients.subarray(r * length, (r + 1) * length),
        accumulated: new Float32Array(plan.accumulate > 1 ? length : 0),
        parts: plan.parts.map((part, index) => partState(plan, part, this.#layouts[index]!, r)),
        clock: { step: 0, skipped: 0, lossScale: plan.lossScale?.init ?? 1, goodSteps: 0 },
        gradientNorm: Number.NaN,
        groupNorms: noNorms(plan),
        clipScale: 1,
        underflow: undefined,
        halted: false,
        noted: nothingNoted(plan),
      };
    });
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

  lossScaleOf(replica = 0): number {
    return this.#replicas[readReplica(this.#plan, "replica", replica)]!.clock.lossScale;
  }

  stepOf(replica = 0): number {
    return this.#replicas[readReplica(this.#plan, "replica", replica)]!.clock.step;
  }

  isHalted(replica: number): boolean {
    return this.#replicas[readReplica(this.#plan, "replica", replica)]!.halted;
  }

  step(): void {
    this.#mustLive("step");
    mustStep(this.#replicas);
    const { accumulate } = this.#plan;
    const updates = this.#micro + 1 === accumulate;
    // Every row before anything is changed: a schedule may leave its range in any of them.
    const rows = this.#replicas.map(({ parts, clock, halted, underflow }) => {
      if (!updates || halted || underflow) return undefined;
      return parts.map(({ rows }) => rows.rowsAt(clock.step));
    });
    this.#replicas.forEach((replica, r) => {
      if (accumulate > 1) this.#accumulate(replica);
      const its = rows[r];
      if (its) this.#update(replica, its);
      else if (updates) replica.noted = nothingNoted(this.#plan);
    });
    this.#micro = updates ? 0 : this.#micro + 1;
  }

  zeroGrad(): void {
    this.#mustLive("zeroGrad");
    this.gradients.fill(0);
  }

  set(hypers: Readonly<Record<string, Scheduled>>, group?: number, replica?: number): void {
    this.#mustLive("set");
    this.#settle();
    setHypers(this.#plan, hypers, group, replica, this.#replicas[replica ?? 0]?.clock.step ?? 0);
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
    this.#mustLive("halt");
    this.#replicas[readReplica(this.#plan, "replica", replica)]!.halted = true;
  }

  resume(replica: number): void {
    this.#mustLive("resume");
    this.#replicas[readReplica(this.#plan, "replica", replica)]!.halted = false;
  }

  observe(metric: number, replica?: number): void {
    this.#mustLive("observe");
    this.#settle();
    observeMetric(this.#plan, metric, replica);
  }

  async layers(replica = 0): Promise<readonly LayerStats[]> {
    this.#mustLive("layers");
    const { noted } = this.#replicas[readReplica(this.#plan, "replica", replica)]!;
    if (!this.#plan.watch) throw new OptionError(unwatchedMessage);
    return noted;
  }

  async read(role: Role = "params", replica = 0): Promise<TensorValues> {
    this.#mustLive("read");
    readRole(this.#plan, role);
    const source = this.#replicas[readReplica(this.#plan, "replica", replica)]!;
    return inMemory(`the values of ${role}`, () => this.#read(source, role));
  }

  #read(source: Replica, role: Role): TensorValues {
    if (role !== "evaluation") return scalarsOf(source, role) ?? this.#values(source, role);
    const roles = ["params", ...this.slots].map((slot) => [slot, this.#values(source, slot)] as const);
    const carried = source.parts.map(({ rows }) => rows.carried(source.clock.step));
    const made = source.parts.map(({ rows }) => rows.made(source.clock.step));
    return evaluationValues(this.#plan, this.#layouts, new Map(roles), made, carried);
  }

  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>, replica?: number): void {
    this.#mustLive("write");
    readRole(this.#plan, role);
    const targets =
      replica === undefined ? this.#replicas : [this.#replicas[readReplica(this.#plan, "replica", replica)]!];
    const matched = matchSegments(role, this.#stored(role), values);
    for (const target of targets) {
      const places = this.#arrays(target, role);
      for (const { segment, data } of matched) places.get(segment.name)!.set(data);
    }
  }

  async stats(replica = 0): Promise<Stats> {
    this.#mustLive("stats");
    const { clock, gradientNorm, groupNorms, clipScale, underflow } =
      this.#replicas[readReplica(this.#plan, "replica", replica)]!;
    const { step, skipped, lossScale } = clock;
    const stats = { step, skipped, gradientNorm, clipScale, lossScale, underflowed: underflow !== undefined };
    return this.#plan.clip?.type === "groupNorm" ? { ...stats, groupNorms } : stats;
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    this.#mustLive("save");
    return inMemory("a checkpoint", () => this.#save());
  }

  #save(): Uint8Array<ArrayBuffer> {
    const roles = ["params", ...this.slots, ...(this.#plan.accumulate > 1 ? ["accumulated"] : [])];
    const snapshot: Snapshot = {
      clocks: this.#replicas.map(({ clock }) => clock),
      micro: this.#micro,
      carried: this.#plan.parts.map((_, part) =>
        this.#replicas.map(({ parts, clock }) => parts[part]!.rows.carried(clock.step)),
      ),
      made: this.#plan.parts.map((_, part) =>
        this.#replicas.map(({ parts, clock }) => parts[part]!.rows.made(clock.step)),
      ),
      roles: new Map(roles.map((role) => [role, this.#replicas.map((replica) => this.#values(replica, role))])),
      scalars: this.#plan.parts.map((_, part) => this.#replicas.map(({ parts }) => parts[part]!.scalars)),
    };
    return encodeCheckpoint(describePlan(this.#plan), this.#plan, this.#layouts, this.segments, snapshot);
  }

  async load(bytes: Uint8Array, options?: LoadOptions): Promise<void> {
    this.#mustLive("load");
    const { clocks, micro, carried, made, roles, scalars } = inMemory("the checkpoint", () =>
      openCheckpoint(this.#plan, this.#layouts, this.segments, bytes, options),
    );
    this.#replicas.forEach((replica, r) => {
      replica.clock = clocks[r]!;
      replica.gradientNorm = Number.NaN;
      replica.groupNorms = noNorms(this.#plan);
      replica.clipScale = 1;
      replica.underflow = undefined;
      replica.noted = nothingNoted(this.#plan);
      for (const [role, values] of roles) {
        const arrays = this.#arrays(replica, role);
        for (const [name, data] of Object.entries(values[r]!)) arrays.get(name)!.set(data);
      }
      replica.parts.forEach((state, part) => {
        state.scalars.set(scalars[part]![r]!);
        state.rows.restore(clocks[r]!.step, carried[part]![r]!, made[part]![r]!);
      });
    });
    this.#micro = micro;
  }

  destroy(): void {
    this.#destroyed = true;
  }

  /** Before hypers or freezing change: what rules carried so far stays as it is. */
  #settle(): void {
    for (const { parts, clock } of this.#replicas) for (const { rows } of parts) rows.settle(clock.step);
  }

  #setFrozen(call: string, frozen: boolean, group: number | undefined): void {
    this.#mustLive(call);
    this.#settle();
    setFrozen(this.#plan, frozen, group);
    for (const { parts, clock } of this.#replicas) {
      const change = { updates: clock.step + clock.skipped, encoded: clock.step + clock.skipped };
      for (const { rows } of parts) rows.refreeze(clock.step, change);
    }
  }

  #accumulate({ gradients, accumulated }: Replica): void {
    if (this.#micro === 0) accumulated.fill(0);
    for (let i = 0; i < gradients.length; i++) accumulated[i]! += gradients[i]!;
  }

  #update(replica: Replica, rows: readonly (readonly Row[])[]): void {
    const { accumulate, lossScale, skipNonFinite } = this.#plan;
    const { clock } = replica;
    const raw = accumulate > 1 ? replica.accumulated : replica.gradients;
    const unscale = lossScale ? 1 / clock.lossScale : 1;
    let scales: readonly number[] = [unscale];
    if (needsNorm(this.#plan)) {
      const bins = this.#norms(replica, rows, raw).map((norm) => (norm * unscale) / accumulate);
      replica.gradientNorm = joinNorms(bins, this.#normKind());
      replica.groupNorms = bins;
      if (skipNonFinite && !Number.isFinite(replica.gradientNorm)) {
        this.#skip(replica);
        return;
      }
      const { clip } = this.#plan;
      const clips = bins.map((norm) => (clip && "maxNorm" in clip ? Math.min(1, clip.maxNorm / (norm + 1e-6)) : 1));
      scales = clips.map((scale) => scale * unscale);
      replica.clipScale = bins.length === 1 ? clips[0]! : 1;
    }
    const noted = new Map<string, LayerStats>();
    const note = this.#plan.watch ? (stats: LayerStats) => noted.set(stats.name, stats) : undefined;
    replica.parts.forEach((state, index) => {
      updatePart(this.#plan, state, rows[index]!, { params: replica.params, raw, scales, note });
    });
    replica.noted = nothingNoted(this.#plan).map((nothing) => noted.get(nothing.name) ?? nothing);
    const goodSteps = clock.goodSteps + 1;
    const grown = lossScale && goodSteps >= lossScale.interval;
    replica.clock = {
      step: clock.step + 1,
      skipped: clock.skipped,
      goodSteps: grown ? 0 : goodSteps,
      lossScale: grown ? grownScale(clock.lossScale, lossScale.growth) : clock.lossScale,
    };
    for (const { rows: source } of replica.parts) source.prune(clock.step + 1);
  }

  #skip(replica: Replica): void {
    const { lossScale } = this.#plan;
    const { clock } = replica;
    replica.noted = nothingNoted(this.#plan);
    const lower = lossScale ? Math.fround(clock.lossScale * lossScale.backoff) : 1;
    const underflows = lossScale !== undefined && lower < lossScale.min;
    if (underflows) replica.underflow = underflowMessage(clock.step, clock.lossScale, lossScale.min);
    replica.clock = {
      ...clock,
      skipped: clock.skipped + 1,
      goodSteps: 0,
      lossScale: underflows ? clock.lossScale : lower,
    };
  }

  #normKind(): 1 | 2 | "inf" {
    const { clip } = this.#plan;
    return clip && "norm" in clip ? clip.norm : 2;
  }

  /** The norm of each bin of clipping; what is frozen has no gradient. */
  #norms({ parts }: Replica, rows: readonly (readonly Row[])[], raw: Float32Array): number[] {
    const kind = this.#normKind();
    const bins = clipBins(this.#plan);
    const sums = new Float64Array(bins);
    const peaks = new Float64Array(bins);
    parts.forEach(({ layout, part }, index) => {
      for (const { segment, group } of layout.places) {
        if (rows[index]![group]!.frozen === 1) continue;
        const bin = bins === 1 ? 0 : part.groups[group]!;
        for (let i = segment.offset; i < segment.offset + segment.length; i++) {
          const magnitude = Math.abs(raw[i]!);
          peaks[bin] = Math.max(peaks[bin]!, magnitude);
          sums[bin]! += kind === 1 ? magnitude : magnitude * magnitude;
        }
      }
    });
    return Array.from(sums, (sum, bin) => {
      if (!Number.isFinite(peaks[bin]!) || kind === "inf") return peaks[bin]!;
      return kind === 1 ? sum : Math.sqrt(sum);
    });
  }

  /** Each tensor's own array of one role. */
  #arrays({ params, gradients, accumulated, parts }: Replica, role: Role): Map<string, Float32Array> {
    const arena = new Map<Role, Float32Array>(Object.entries({ params, gradients, accumulated })).get(role);
    if (arena && arena.length > 0) {
      return new Map(
        this.segments.map(({ name, offset, length }) => [name, arena.subarray(offset, offset + length)] as const),
      );
    }
    const found = parts.flatMap(({ layout, state }) => {
      if (!layout.slotBases.has(role)) return [];
      return layout.places.map((place) => {
        const { offset, length } = slotRange(layout, place, role);
        return [place.segment.name, state.subarray(offset, offset + length)] as const;
      });
    });
    if (found.length === 0) {
      throw new OptionError(`role is ${show(role)}; it must be one of ${rolesOf(this.#plan).join(", ")}`);
    }
    return new Map(found);
  }

  #values(replica: Replica, role: Role): TensorValues {
    return Object.fromEntries([...this.#arrays(replica, role)].map(([name, values]) => [name, values.slice()]));
  }

  /** The segments that have a role, as long as it is stored. */
  #stored(role: Role): readonly Segment[] {
    const arrays = this.#arrays(this.#replicas[0]!, role);
    return this.segments
      .filter(({ name }) => arrays.has(name))
      .map((segment) => ({ ...segment, length: arrays.get(segment.name)!.length }));
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on an optimizer that is destroyed`);
  }
}

/** What is noted of every tensor where no update touched it; empty where nothing is noted. */
function nothingNoted({ watch, names }: Plan): readonly LayerStats[] {
  return watch ? names.map((name) => ({ name, gradientNorm: 0, weightNorm: 0, updateNorm: 0 })) : [];
}

/** The norms of the bins of clipping before the first gradient. */
function noNorms(plan: Plan): readonly number[] {
  return Array.from({ length: clipBins(plan) }, () => 0);
}

/** A scale that would grow too large stays as it is. */
function grownScale(scale: number, growth: number): number {
  const grown = Math.fround(scale * growth);
  return grown <= largestLossScale ? grown : scale;
}

/** The values of a role that is a scalar of some rule. */
function scalarsOf({ parts }: Replica, role: Role): TensorValues | undefined {
  if (parts.some(({ layout }) => layout.slotBases.has(role))) return undefined;
  const found = parts.flatMap(({ layout, scalars }) => scalarValues(layout, scalars, role) ?? []);
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

/** The norm of everything from the norms of its parts. */
function joinNorms(norms: readonly number[], kind: 1 | 2 | "inf"): number {
  if (norms.length === 1) return norms[0]!;
  if (kind === "inf" || !norms.every(Number.isFinite)) return Math.max(...norms);
  return kind === 1 ? norms.reduce((sum, norm) => sum + norm, 0) : Math.hypot(...norms);
}
