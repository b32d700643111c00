// An objective as a function of a vector on the GPU: the optimizer's parameters are moved to a point, the objective's own
// dispatches compute the gradient, and everything is put back in the same submission.
import meanLoss from "../../shaders/objectives/mean_loss.wgsl?raw";
import { assemble } from "../base/assemble.ts";
import { defineStruct } from "../base/struct.ts";
import { allocate } from "../engines/gpu/allocate.ts";
import { compileKernel, type Kernel } from "../engines/gpu/kernel.ts";
import type { GpuOptimizer } from "../engines/gpu/optimizer.ts";
import { layoutVectors, type PlacedVector } from "../engines/gpu/vector_layout.ts";
import { createVectors, type GpuVectors } from "../engines/gpu/vectors.ts";
import { bindingsSnippet, structsSnippet } from "../engines/stages/generate.ts";
import { file } from "../engines/stages/snippets.ts";
import type { Binding as KernelBinding } from "../engines/stages/stage.ts";
import { type At, at, type Block } from "../engines/vectors.ts";
import type { Segment } from "../optimizer/arena.ts";
import type { Location } from "../optimizer/locations.ts";
import { insideOf } from "../optimizer/shell.ts";
import type { Field, FieldPlan, Strides } from "./field.ts";
import type { GpuProgram } from "./program.ts";

const lossStruct = defineStruct("Sizes", {
  replicas: "u32",
  firstReplica: "u32",
  // of the optimizer
  allReplicas: "u32",
  microBatches: "u32",
  // the most micro-batches, after which the penalty is stored
  records: "u32",
  hasPenalty: "u32",
  // factor of the sum
  scale: "f32",
  into: "u32",
  controlStride: "u32",
  skip: "u32",
  nan: "u32",
});

const array = (name: string, use: KernelBinding["use"], type: string): KernelBinding => ({
  name,
  use,
  type: `array<${type}>`,
});
const lossBindings = [
  array("totals", "read", "f32"),
  array("control", "read", "u32"),
  array("scalars", "write", "f32"),
  { name: "sizes", use: "uniform", type: "Sizes" },
] as const satisfies readonly KernelBinding[];

export const meanLossSource = assemble("mean loss", [
  structsSnippet(lossStruct),
  bindingsSnippet(lossBindings),
  file("objectives/mean_loss", meanLoss),
]);

/** The dispatches of a gradient, and the factor of its sums. */
export interface FieldRows {
  /** Writes the rows, for later submissions. */
  write(): void;
  /** Encodes the gradient of the rows that were written last. */
  encode(pass: GPUComputePassEncoder): void;
  readonly microBatches: number;
  /** The factor of the sum of the losses. */
  readonly scale: number;
}

/** Strides that suit float32. */
const strides: Strides = { longest: 4e-3, enough: 2e-4 };

/** A not-a-number, whose bits no kernel can write as a constant. */
const nan = 0x7fc0_0000;

/** Lanes of the kernel of the loss. */
const lanes = 64;

export class GpuField implements Field {
  readonly space: GpuVectors;
  readonly strides = strides;
  readonly draws: boolean;
  readonly moves: boolean;
  /** Whether the space is its own. */
  readonly #own: boolean;
  readonly #optimizer: GpuOptimizer;
  readonly #bound: GpuProgram;
  readonly #rows: FieldRows;
  readonly #lossKernel: Kernel;
  /** The parameters and gradients to restore; none if they need not be. */
  readonly #kept: { readonly params: At; readonly gradients: PlacedVector } | undefined;
  readonly #ranges: readonly Location[];
  /** Whether, in the recorded work, parameters are not where the optimizer left them. */
  #away = false;
  /** Whether the rows are written for the encoded work. */
  #written = false;

  /** @throws DeviceError where it does not fit; nothing is left behind then. */
  static async open(
    optimizer: GpuOptimizer,
    segments: readonly Segment[],
    bound: GpuProgram,
    rows: FieldRows,
    plan: FieldPlan,
    draws: boolean,
  ): Promise<GpuField> {
    const { device, replicas } = optimizer;
    const { tensors, replica, scalars, moves } = plan;
    const own = plan.space === undefined;
    const space = own ? await createVectors(optimizer, { tensors, replica, scalars }) : (plan.space as GpuVectors);
    const is = { own, draws, moves };
    let block: Block | undefined;
    try {
      const uses = lossBindings.map(({ use }) => use);
      const kernel = await compileKernel(device, meanLossSource, uses, {});
      if (moves) return new GpuField(optimizer, space, segments, bound, rows, kernel, is, undefined);
      const layout = layoutVectors(segments);
      block = await space.create(1);
      const { made } = await allocate(device, "a copy of the gradients", (create) =>
        create("gradients as they were", 4 * layout.stride * replicas),
      );
      const gradients = { buffer: made, layout, index: 0, firstReplica: 0, replicas };
      const kept = { params: at(block), gradients };
      return new GpuField(optimizer, space, segments, bound, rows, kernel, is, kept);
    } catch (error) {
      if (own) space.destroy();
      else if (block) space.free(block);
      throw error;
    }
  }

  private constructor(
    optimizer: GpuOptimizer,
    space: GpuVectors,
    segments: readonly Segment[],
    bound: GpuProgram,
    rows: FieldRows,
    lossKernel: Kernel,
    { own, draws, moves }: { readonly own: boolean; readonly draws: boolean; readonly moves: boolean },
    kept: { readonly params: At; readonly gradients: PlacedVector } | undefined,
  ) {
    this.space = space;
    this.#optimizer = optimizer;
    this.#bound = bound;
    this.#rows = rows;
    this.#lossKernel = lossKernel;
    this.#own = own;
    this.draws = draws;
    this.moves = moves;
    this.#kept = kept;
    const located = new Map(
      insideOf(optimizer)
        .locate("gradients")
        .map((range) => [range.segment, range]),
    );
    this.#ranges = segments.map((segment) => located.get(segment)!);
    space.leave = () => this.#return();
  }

  evaluate(at: At, gradient: At, loss?: number): void {
    const { space } = this;
    // All of it must be in one submission, at whose end everything is restored.
    space.reserve(8 * (2 + this.#ranges.length));
    if (this.#kept && !this.#away) {
      space.loadRole("params", this.#kept.params);
      space.move("load", "gradients", this.#ranges, this.#kept.gradients);
      this.#away = true;
    }
    space.storeParams(at);
    space.record((pass) => {
      if (!this.#written) this.#rows.write();
      this.#written = true;
      this.#rows.encode(pass);
    });
    if (loss !== undefined) this.#recordLoss(loss);
    space.loadRole("gradients", gradient);
  }

  #recordLoss(into: number): void {
    const { control, controlBytes, replicas: allReplicas } = this.#optimizer;
    const { replicas, firstReplica, scalarBuffer } = this.space;
    const { totals, microBatches, hasPenalty } = this.#bound;
    this.space.recordKernel(
      this.#lossKernel,
      [totals, control, scalarBuffer],
      lossStruct,
      {
        ...{ replicas, firstReplica, allReplicas, into, nan },
        microBatches: this.#rows.microBatches,
        records: microBatches.length,
        hasPenalty: Number(hasPenalty),
        scale: this.#rows.scale,
        controlStride: controlBytes / allReplicas / 4,
        skip: this.#optimizer.controlIndex("skip", { replica: firstReplica }),
      },
      [Math.ceil(replicas / lanes), 1],
    );
  }

  /** Puts parameters and gradients back. */
  #return(): void {
    this.#written = false;
    if (!this.#kept || !this.#away) return;
    this.#away = false;
    this.space.storeParams(this.#kept.params);
    this.space.move("store", "gradients", this.#ranges, this.#kept.gradients);
  }

  destroy(): void {
    if (!this.#own) this.space.flush();
    this.space.leave = () => {};
    if (this.#own) this.space.destroy();
    else if (this.#kept) this.space.free(this.#kept.params.block);
    this.#kept?.gradients.buffer.destroy();
  }
}
