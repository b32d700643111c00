// Points on a landscape on the CPU: the reference of the kernels, in float64 between float32 points and gradients.
import { arenaLength, type Segment } from "../arena.ts";
import type { CpuOptimizer } from "../cpu/optimizer.ts";
import type { Landscape } from "../landscapes/define.ts";
import { readOptimizer } from "../optimizer.ts";
import { type LandscapeObjective, pointsOf } from "./landscape.ts";
import type { StepReport } from "./objective.ts";
import { stepOnCpu } from "./report_cpu.ts";
import { breathe } from "./turns.ts";

/**
 * Binds a landscape to a CPU optimizer that was made of `landscapeTensors`.
 *
 * @throws OptionError when they do not fit each other.
 */
export function createCpuLandscape(optimizer: CpuOptimizer, landscape: Landscape): LandscapeObjective {
  readOptimizer(optimizer, "cpu");
  return new ReferenceLandscape(optimizer, landscape, pointsOf(optimizer.segments, landscape));
}

class ReferenceLandscape implements LandscapeObjective {
  readonly #optimizer: CpuOptimizer;
  readonly #landscape: Landscape;
  readonly #segment: Segment;
  readonly #stride: number;
  /** What was last found of each replica: of one that is halted, this stays. */
  readonly #losses: number[];

  constructor(optimizer: CpuOptimizer, landscape: Landscape, segment: Segment) {
    this.#optimizer = optimizer;
    this.#landscape = landscape;
    this.#segment = segment;
    this.#stride = arenaLength(optimizer.segments);
    this.#losses = Array.from({ length: optimizer.replicas }, () => 0);
  }

  async step(): Promise<StepReport> {
    return stepOnCpu(this.#optimizer, this.#gradient());
  }

  async gradient(): Promise<readonly number[]> {
    const losses = this.#gradient();
    await breathe();
    return losses;
  }

  async losses(replica = 0): Promise<Float32Array> {
    // Refuses a replica that is not there.
    this.#optimizer.isHalted(replica);
    const { value } = this.#landscape;
    return Float32Array.from(this.#points("params", replica), (point) => value(point));
  }

  destroy(): void {
    // Nothing outlives the arrays that the garbage collector knows of.
  }

  #gradient(): readonly number[] {
    const { dimension, term, slope } = this.#landscape;
    for (let replica = 0; replica < this.#losses.length; replica++) {
      if (this.#optimizer.isHalted(replica)) continue;
      const scale = this.#optimizer.lossScaleOf(replica);
      const gradients = this.#points("gradients", replica);
      let sum = 0;
      for (const point of this.#points("params", replica)) {
        const gradient = gradients.next().value!;
        for (let i = 0; i < dimension; i++) {
          sum += term(point, i);
          gradient[i] = scale * slope(point, i);
        }
      }
      this.#losses[replica] = sum / this.#segment.shape[0]!;
    }
    return [...this.#losses];
  }

  /** Each point of a replica, or its gradient. */
  *#points(role: "params" | "gradients", replica: number): Generator<Float32Array, undefined> {
    const { dimension } = this.#landscape;
    const begin = replica * this.#stride + this.#segment.offset;
    for (let e = begin; e < begin + this.#segment.length; e += dimension) {
      yield this.#optimizer[role].subarray(e, e + dimension);
    }
  }
}
