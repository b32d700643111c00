// The CPU reference: the same interface and the same plan as the WebGPU optimizer, with each rule's twin in its loop.
// Arithmetic is float64, storage float32, and nothing is faster than it is plain.
import {
  arenaLength,
  layoutSegments,
  matchSegments,
  packArena,
  type Segment,
  type Tensor,
  unpackArena,
} from "../arena.ts";
import { checkKeys, describePlan, encodeCheckpoint, openCheckpoint } from "../checkpoint.ts";
import { DeviceError, OptionError, show } from "../errors.ts";
import type { Optimizer, Role, Stats, TensorValues } from "../optimizer.ts";
import { createPlan, needsNorm, type Plan, planConfig, readHyperAt, setHypers } from "../plan.ts";
import type { OptimizerConfig } from "../rules/index.ts";
import type { Scheduled } from "../schedule.ts";
import { tableRow } from "../table.ts";

/** An optimizer on the CPU, whose arenas are plain arrays. */
export interface CpuOptimizer extends Optimizer {
  readonly backend: "cpu";
  /** The arena of the parameters; a segment is `params.subarray(offset, offset + length)`. */
  readonly params: Float32Array<ArrayBuffer>;
  /** The arena of the gradients. */
  readonly gradients: Float32Array<ArrayBuffer>;
}

/**
 * Creates the CPU reference of an optimizer.
 *
 * @throws OptionError for bad tensors or a bad config.
 */
export function createCpuOptimizer(tensors: readonly Tensor[], config: OptimizerConfig): CpuOptimizer {
  const segments = layoutSegments(tensors);
  const plan = createPlan(config, segments);
  checkKeys(plan, segments);
  return new ReferenceOptimizer(segments, plan, packArena(segments, tensors));
}

class ReferenceOptimizer implements CpuOptimizer {
  readonly backend = "cpu";
  readonly segments: readonly Segment[];
  readonly params: Float32Array<ArrayBuffer>;
  readonly gradients: Float32Array<ArrayBuffer>;
  readonly #plan: Plan;
  readonly #slots: Map<string, Float32Array<ArrayBuffer>>;
  #step = 0;
  #skipped = 0;
  #gradientNorm = Number.NaN;
  #clipScale = 1;
  #destroyed = false;

  constructor(segments: readonly Segment[], plan: Plan, params: Float32Array<ArrayBuffer>) {
    this.segments = segments;
    this.#plan = plan;
    this.params = params;
    this.gradients = new Float32Array(arenaLength(segments));
    this.#slots = new Map(plan.slots.map((slot) => [slot, new Float32Array(arenaLength(segments))]));
  }

  get config(): OptimizerConfig {
    return planConfig(this.#plan);
  }

  get slots(): readonly string[] {
    return this.#plan.slots;
  }

  step(): void {
    this.#mustLive("step");
    const plan = this.#plan;
    const rows = plan.groups.map((_, group) => tableRow(plan, group, this.#step));
    if (needsNorm(plan)) {
      this.#gradientNorm = this.#norm();
      if (plan.skipNonFinite && !Number.isFinite(this.#gradientNorm)) {
        this.#skipped++;
        return;
      }
      if (plan.maxNorm !== undefined) this.#clipScale = Math.min(1, plan.maxNorm / (this.#gradientNorm + 1e-6));
    }
    this.segments.forEach((segment, index) => {
      this.#update(segment, rows[plan.groupOf[index]!]!);
    });
    this.#step++;
  }

  zeroGrad(): void {
    this.#mustLive("zeroGrad");
    this.gradients.fill(0);
  }

  set(hypers: Readonly<Record<string, Scheduled>>, group?: number): void {
    this.#mustLive("set");
    setHypers(this.#plan, hypers, group, this.#step);
  }

  hyper(name: string, step: number, group = 0): number {
    return readHyperAt(this.#plan, group, name, step);
  }

  async read(role: Role = "params"): Promise<TensorValues> {
    this.#mustLive("read");
    return unpackArena(this.segments, this.#arena(role));
  }

  write(role: Role, values: Readonly<Record<string, ArrayLike<number>>>): void {
    this.#mustLive("write");
    const arena = this.#arena(role);
    for (const { segment, data } of matchSegments(role, this.segments, values)) arena.set(data, segment.offset);
  }

  async stats(): Promise<Stats> {
    this.#mustLive("stats");
    return {
      step: this.#step,
      skipped: this.#skipped,
      gradientNorm: this.#gradientNorm,
      clipScale: this.#clipScale,
    };
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    this.#mustLive("save");
    return encodeCheckpoint(describePlan(this.#plan), this.segments, {
      step: this.#step,
      skipped: this.#skipped,
      arenas: new Map([["params", this.params], ...this.#slots]),
    });
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#mustLive("load");
    const checkpoint = openCheckpoint(this.#plan, this.segments, bytes);
    for (const [role, arena] of checkpoint.arenas) this.#arena(role).set(arena);
    this.#step = checkpoint.step;
    this.#skipped = checkpoint.skipped;
    this.#gradientNorm = Number.NaN;
    this.#clipScale = 1;
  }

  destroy(): void {
    this.#destroyed = true;
  }

  #arena(role: Role): Float32Array<ArrayBuffer> {
    const arena = role === "params" ? this.params : role === "gradients" ? this.gradients : this.#slots.get(role);
    if (!arena) {
      const known = ["params", "gradients", ...this.slots].join(", ");
      throw new OptionError(`role is ${show(role)}; it must be one of ${known}`);
    }
    return arena;
  }

  #norm(): number {
    let [peak, sum] = [0, 0];
    for (const { offset, length } of this.segments) {
      for (let i = offset; i < offset + length; i++) {
        const g = this.gradients[i]!;
        peak = Math.max(peak, Math.abs(g));
        sum += g * g;
      }
    }
    return Number.isFinite(peak) ? Math.sqrt(sum) : peak;
  }

  #update({ offset, length }: Segment, row: Record<string, number>): void {
    const { rule, flags } = this.#plan;
    const slots = [...this.#slots];
    const scale = row.gradientSign! * this.#clipScale;
    const x: { p: number } & Record<string, number> = { p: 0 };
    for (const slot of rule.slots) x[slot] = 0;
    for (let i = offset; i < offset + length; i++) {
      x.p = this.params[i]!;
      for (const slot of rule.slots) x[slot] = 0;
      for (const [slot, values] of slots) x[slot] = values[i]!;
      rule.update(x, scale * this.gradients[i]!, row, flags);
      this.params[i] = x.p;
      for (const [slot, values] of slots) values[i] = x[slot]!;
    }
  }

  #mustLive(call: string): void {
    if (this.#destroyed) throw new DeviceError(`${call}() was called on an optimizer that is destroyed`);
  }
}
