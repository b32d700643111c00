// The arrays of an optimizer on the CPU, and a step over them: the same plan as on the GPU, with each rule's twin in the loop.
// Arithmetic is float64, storage float32, and the code puts clarity before speed.

import { DeviceError } from "../../base/errors.ts";
import { largestLossScale } from "../../modifiers/modifier.ts";
import { arenaLength, pagesOf, type Segment } from "../../optimizer/arena.ts";
import type { Hypers } from "../../optimizer/hypers.ts";
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import { fromStored, type Range, rangeWords, toStored } from "../../optimizer/locations.ts";
import { type LayerStats, mustStep } from "../../optimizer/optimizer.ts";
import { clipBins, needsNorm, type Plan } from "../../optimizer/plan.ts";
import {
  type Clock,
  type Fetched,
  type Past,
  pastOf,
  type ReplicaRecord,
  type Store,
  type Write,
} from "../../optimizer/store.ts";
import { named } from "../../optimizer/table.ts";
import type { Row, RuleSetState } from "../stages/twin.ts";
import { ruleSetState, updateRuleSet } from "./rule_set.ts";

/** The pages of an arena. */
type Pages = readonly Float32Array<ArrayBuffer>[];

/** One copy of everything. */
export interface Replica {
  /** The pages of each arena. */
  readonly params: Pages;
  readonly gradients: Pages;
  /** Gradients added up, where several make one update. */
  readonly accumulated: Pages;
  readonly ruleSets: readonly RuleSetState[];
  clock: Clock;
  /** Of the last gradient. */
  norms: Norms;
  /** Why it takes no more steps. */
  underflow: string | undefined;
  halted: boolean;
  /** Statistics of the last update, by the tensor's place; empty unless a modifier needs them. */
  layers: readonly LayerStats[];
}

type Norms = Pick<ReplicaRecord, "gradientNorm" | "clipScale"> & { readonly groupNorms: readonly number[] };

export class ArrayStore implements Store {
  /** The arenas, in each page replica after replica. */
  readonly params: Pages;
  readonly gradients: Pages;
  readonly replicas: readonly Replica[];
  readonly #plan: Plan;
  /** Gradients added up since the last update. */
  #micro = 0;
  destroyed = false;

  constructor(
    plan: Plan,
    hypers: Hypers,
    layouts: readonly RuleSetLayout[],
    segments: readonly Segment[],
    initial: Pages,
  ) {
    const lengths = pagesOf(segments).map((page) => arenaLength(segments, page));
    const zeros = (times: number): Pages => lengths.map((length) => new Float32Array(length * times));
    this.#plan = plan;
    this.params = zeros(plan.replicas);
    this.gradients = zeros(plan.replicas);
    this.replicas = Array.from({ length: plan.replicas }, (_, r) => {
      const ofReplica = (pages: Pages) =>
        pages.map((page, index) => page.subarray(r * lengths[index]!, (r + 1) * lengths[index]!));
      const params = ofReplica(this.params);
      for (const [index, page] of params.entries()) page.set(initial[index]!);
      return {
        params,
        gradients: ofReplica(this.gradients),
        accumulated: plan.accumulate > 1 ? zeros(1) : [],
        ruleSets: plan.ruleSets.map((ruleSet, index) => ruleSetState(plan, hypers, ruleSet, layouts[index]!, r)),
        clock: { step: 0, skipped: 0, lossScale: plan.lossScale?.init ?? 1, goodSteps: 0 },
        norms: noNorms(plan),
        underflow: undefined,
        halted: false,
        layers: untouched(plan),
      };
    });
  }

  mustLive(call: string): void {
    if (this.destroyed) throw new DeviceError(`${call}() was called on a destroyed optimizer`);
  }

  next(replica: number): number {
    return this.replicas[replica]?.clock.step ?? 0;
  }

  settle(): void {
    for (const { ruleSets, clock } of this.replicas) for (const { rows } of ruleSets) rows.settle(clock.step);
  }

  refreeze(): void {
    for (const { ruleSets, clock } of this.replicas) {
      const change = { updates: clock.step + clock.skipped, encoded: clock.step + clock.skipped };
      for (const { rows } of ruleSets) rows.refreeze(clock.step, change);
    }
  }

  /** No rows are made ahead. */
  expire(): void {}

  /** Each step reads the layout anew. */
  recut(): void {}

  zeroGrad(): void {
    for (const page of this.gradients) page.fill(0);
  }

  setHalted(replica: number, halted: boolean): void {
    this.replicas[replica]!.halted = halted;
  }

  isHalted(replica: number): boolean {
    return this.replicas[replica]!.halted;
  }

  /** A range of one replica's array. */
  view(range: Range, replica: number): Float32Array<ArrayBuffer> {
    const { home, offset } = range;
    const { ruleSets, ...arenas } = this.replicas[replica]!;
    const { kind, index } = home;
    const array = kind === "state" || kind === "scalars" ? ruleSets[index]![kind] : arenas[kind][index]!;
    return array.subarray(offset, offset + rangeWords(range));
  }

  async fetch(ranges: readonly Range[], replica: number): Promise<Fetched> {
    const values = ranges.map((range) => fromStored(range, this.view(range, replica).slice()));
    const { ruleSets, clock, norms, underflow } = this.replicas[replica]!;
    // Copies the current values; later steps drop what was carried before them.
    const past =
      values.length > 0
        ? pastOf(
            ruleSets.map(({ rows }) => rows),
            clock.step,
          )
        : { carried: [], made: [] };
    const { groupNorms, ...others } = norms;
    const record = {
      ...{ ...clock, ...others, underflowed: underflow !== undefined, micro: this.#micro },
      ...(this.#plan.clipNorm?.byGroup ? { groupNorms } : {}),
    };
    return { record, values, past: () => past };
  }

  write(writes: readonly Write[]): void {
    for (const { range, replica, values } of writes) this.view(range, replica).set(toStored(range, values));
  }

  async restore(
    clocks: readonly Clock[],
    pasts: readonly Past[],
    micro: number,
    writes: readonly Write[],
  ): Promise<void> {
    this.write(writes);
    this.#micro = micro;
    this.replicas.forEach((replica, r) => {
      const clock = clocks[r]!;
      const { carried, made } = pasts[r]!;
      Object.assign(replica, {
        clock,
        norms: noNorms(this.#plan),
        underflow: undefined,
        layers: untouched(this.#plan),
      });
      replica.ruleSets.forEach(({ rows }, ruleSet) => {
        rows.restore(clock.step, carried[ruleSet]!, made[ruleSet]!);
      });
    });
  }

  async layers(replica: number): Promise<readonly LayerStats[]> {
    return this.replicas[replica]!.layers;
  }

  destroy(): void {
    this.destroyed = true;
  }

  step(): void {
    mustStep(this.replicas);
    const { accumulate } = this.#plan;
    const updates = this.#micro + 1 === accumulate;
    // Every row before anything is changed: a schedule may leave its range in any of them.
    const rows = this.replicas.map(({ ruleSets, clock, halted, underflow }) => {
      if (!updates || halted || underflow) return undefined;
      return ruleSets.map(({ rows }) => rows.rowsAt(clock.step).map((row) => named(rows, row)));
    });
    this.replicas.forEach((replica, r) => {
      if (accumulate > 1) this.#accumulate(replica);
      const its = rows[r];
      if (its) this.#update(replica, its);
      else if (updates) replica.layers = untouched(this.#plan);
    });
    this.#micro = updates ? 0 : this.#micro + 1;
  }

  #accumulate({ gradients, accumulated }: Replica): void {
    for (const [index, sums] of accumulated.entries()) {
      const added = gradients[index]!;
      if (this.#micro === 0) sums.fill(0);
      for (let i = 0; i < sums.length; i++) sums[i]! += added[i]!;
    }
  }

  #update(replica: Replica, rows: readonly (readonly Row[])[]): void {
    const { accumulate, lossScale, skipNonFinite } = this.#plan;
    const { clock } = replica;
    const raw = accumulate > 1 ? replica.accumulated : replica.gradients;
    const unscale = lossScale ? 1 / clock.lossScale : 1;
    let scales: readonly number[] = [unscale];
    if (needsNorm(this.#plan)) {
      const bins = this.#norms(replica, rows, raw).map((norm) => (norm * unscale) / accumulate);
      const gradientNorm = joinNorms(bins, this.#normKind());
      replica.norms = { ...replica.norms, gradientNorm, groupNorms: bins };
      if (skipNonFinite && !Number.isFinite(gradientNorm)) {
        this.#skip(replica);
        return;
      }
      const { clipNorm } = this.#plan;
      const clips = bins.map((norm) => (clipNorm ? Math.min(1, clipNorm.maxNorm / (norm + 1e-6)) : 1));
      scales = clips.map((scale) => scale * unscale);
      replica.norms = { ...replica.norms, clipScale: bins.length === 1 ? clips[0]! : 1 };
    }
    const layers = new Map<string, LayerStats>();
    const note = this.#plan.watch ? (stats: LayerStats) => layers.set(stats.name, stats) : undefined;
    replica.ruleSets.forEach((state, index) => {
      updateRuleSet(this.#plan, state, rows[index]!, { params: replica.params, raw, scales, note });
    });
    replica.layers = untouched(this.#plan).map((nothing) => layers.get(nothing.name) ?? nothing);
    const goodSteps = clock.goodSteps + 1;
    const grown = lossScale && goodSteps >= lossScale.interval;
    replica.clock = {
      step: clock.step + 1,
      skipped: clock.skipped,
      goodSteps: grown ? 0 : goodSteps,
      lossScale: grown ? grownScale(clock.lossScale, lossScale.growth) : clock.lossScale,
    };
    for (const { rows: source } of replica.ruleSets) source.prune(clock.step + 1);
  }

  #skip(replica: Replica): void {
    const { lossScale } = this.#plan;
    const { clock } = replica;
    replica.layers = untouched(this.#plan);
    const lower = lossScale ? Math.fround(clock.lossScale * lossScale.backoff) : 1;
    const underflows = lossScale !== undefined && lower < lossScale.min;
    if (underflows) replica.underflow = lossScale.underflow(clock.step, clock.lossScale);
    replica.clock = {
      ...clock,
      skipped: clock.skipped + 1,
      goodSteps: 0,
      lossScale: underflows ? clock.lossScale : lower,
    };
  }

  #normKind(): 1 | 2 | "inf" {
    return this.#plan.clipNorm?.kind ?? 2;
  }

  /** The norm of each bin of clipping; frozen tensors count as having no gradient. */
  #norms({ ruleSets }: Replica, rows: readonly (readonly Row[])[], raw: Pages): number[] {
    const kind = this.#normKind();
    const bins = clipBins(this.#plan);
    const sums = new Float64Array(bins);
    const peaks = new Float64Array(bins);
    ruleSets.forEach(({ layout, ruleSet }, index) => {
      for (const { segment, group } of layout.used) {
        if (rows[index]![group]!.frozen === 1) continue;
        const bin = bins === 1 ? 0 : ruleSet.groups[group]!;
        const page = raw[segment.page]!;
        for (let i = segment.offset; i < segment.offset + segment.length; i++) {
          const magnitude = Math.abs(page[i]!);
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
}

/** For every tensor, its stats if no update touched it; empty unless a modifier needs them. */
function untouched({ watch, names }: Plan): readonly LayerStats[] {
  return watch ? names.map((name) => ({ name, gradientNorm: 0, weightNorm: 0, updateNorm: 0 })) : [];
}

/** Before the first gradient. */
function noNorms(plan: Plan): Norms {
  return { gradientNorm: Number.NaN, clipScale: 1, groupNorms: Array.from({ length: clipBins(plan) }, () => 0) };
}

/** The grown scale; one that would become too large stays as it is. */
function grownScale(scale: number, growth: number): number {
  const grown = Math.fround(scale * growth);
  return grown <= largestLossScale ? grown : scale;
}

/** The norm of everything from the norms of its parts. */
function joinNorms(norms: readonly number[], kind: 1 | 2 | "inf"): number {
  if (norms.length === 1) return norms[0]!;
  if (kind === "inf" || !norms.every(Number.isFinite)) return Math.max(...norms);
  return kind === 1 ? norms.reduce((sum, norm) => sum + norm, 0) : Math.hypot(...norms);
}
