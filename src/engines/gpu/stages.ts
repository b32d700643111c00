// The stages of a step on the GPU: compiles every kernel of a plan; after that, building them over buffers compiles nothing.

import { snakeCase } from "../../base/assemble.ts";
import type { Segment } from "../../optimizer/arena.ts";
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { sourceOf } from "../stages/compile.ts";
import { gradientStages, ruleStages, stepStages } from "../stages/list.ts";
import { vec4Access } from "../stages/snippets.ts";
import type { KernelContext, NamedKernel, Pass, Stage } from "../stages/stage.ts";
import type { CreateBuffer } from "./allocate.ts";
import { Builder, type CompiledStage, type SharedBuffers, type Table } from "./build.ts";
import { type Cut, cutWork, type Launch } from "./chunks.ts";
import { compileKernel, type Dispatch } from "./kernel.ts";
import { mostLanes, type StreamShape } from "./kernel_shapes.ts";

/** The stages with their buffers: the dispatches, and what can be read. */
export interface BuiltStages {
  /** Adds up gradients, where several make an update. */
  readonly accumulate: readonly Dispatch[];
  readonly update: readonly Dispatch[];
  /** Rewritten when other rows of a tensor come into use. */
  readonly tables: readonly Table[];
  /** The sums that updates store for each chunk, replica after replica; undefined if no modifier needs them. */
  readonly layerStats: GPUBuffer | undefined;
}

/** Compiled, and waiting for buffers. */
export interface Stages {
  /** Bytes that the updates of each replica store. */
  readonly layerStatsBytes: number;
  /** The norms of every tensor from the sums stored by one replica's updates. */
  layers(layerStats: ArrayBuffer): readonly LayerStats[];
  build(create: CreateBuffer, buffers: SharedBuffers): BuiltStages;
}

export async function compileStages(
  device: GPUDevice,
  plan: Plan,
  layouts: readonly RuleSetLayout[],
  segments: readonly Segment[],
  shape: StreamShape,
): Promise<Stages> {
  const cut = cutWork(plan, layouts, segments, shape, device.limits.maxStorageBufferBindingSize);
  const { launches, numbers, perChunk } = cut;
  const compiler = new Compiler(device, cut);
  const [gradient, step, ...sets] = await Promise.all([
    compiler.all(gradientStages(plan), launches),
    compiler.all(stepStages(plan), launches),
    ...plan.ruleSets.map((ruleSet, index) =>
      compiler.all(
        ruleStages(plan, ruleSet),
        launches.filter((launch) => launch.ruleSet === index),
      ),
    ),
  ]);
  const sums = plan.modifiers.find(({ partials }) => partials)?.partials;
  const layerStatsBytes = numbers.total * perChunk * (sums?.struct.bytes ?? 0);
  return {
    layerStatsBytes,
    layers: (layerStats) => sums!.layers(cut, layerStats),
    build(create, buffers) {
      const layerStats = sums && create("layer statistics", plan.replicas * layerStatsBytes);
      const builder = new Builder(device, cut, create, buffers, layerStats ? { partials: layerStats } : {});
      return {
        accumulate: builder.dispatches(gradient),
        update: [step, ...sets].flatMap((stages) => builder.dispatches(stages)),
        layerStats,
        tables: builder.tables,
      };
    },
  };
}

class Compiler {
  readonly #device: GPUDevice;
  readonly #cut: Cut;
  /** By name: launches that differ only in buffers share them. */
  readonly #kernels = new Map<string, Promise<NamedKernel>>();

  constructor(device: GPUDevice, cut: Cut) {
    this.#device = device;
    this.#cut = cut;
  }

  /** Stages over some launches, with whatever they compile themselves. */
  all(stages: readonly Stage[], launches: readonly Launch[]): Promise<readonly CompiledStage[]> {
    const once = { ...launches[0]!, access: vec4Access };
    return Promise.all(
      stages.map(async (stage) => {
        const passes = Promise.all(
          stage.passes.map(async (pass) => {
            const of = pass.each === "launch" ? launches : [once];
            return { pass, kernels: await Promise.all(of.map((launch) => this.#kernel(stage, pass, launch))) };
          }),
        );
        const [compiled, others] = await Promise.all([passes, stage.compile?.(this.#device, this.#contextOf(once))]);
        return { stage, launches, passes: compiled, others };
      }),
    );
  }

  #contextOf({ ruleSet, access }: Launch): KernelContext {
    const { plan, layouts } = this.#cut;
    return { plan, ruleSet: plan.ruleSets[ruleSet]!, layout: layouts[ruleSet]!, access };
  }

  #kernel(stage: Stage, pass: Pass, launch: Launch): Promise<NamedKernel> {
    // The update of the last launch advances the step.
    const last = launch === this.#cut.launches.at(-1);
    const key = `${launch.ruleSet} ${launch.access.name} ${last} ${stage.name} ${pass.name}`;
    const known = this.#kernels.get(key) ?? this.#compile(pass, this.#contextOf(launch), last);
    this.#kernels.set(key, known);
    return known;
  }

  async #compile(pass: Pass, context: KernelContext, last: boolean): Promise<NamedKernel> {
    const source = sourceOf(pass, context);
    // A source accepts only constants that it declares.
    const declared = Object.entries(this.#constants(pass, context, last)).filter(([name]) =>
      new RegExp(`override ${name}\\b`).test(source.code),
    );
    const bindings = pass.bindings(context);
    const uses = bindings.map(({ use }) => use);
    const { pipeline, bind } = await compileKernel(this.#device, source, uses, Object.fromEntries(declared));
    return { pipeline, bind: (named) => bind(bindings.map(({ name }) => named[name]!)) };
  }

  /** The constants that select a kernel's code. Everything else is in the uniform buffer. */
  #constants(pass: Pass, context: KernelContext, last: boolean): Readonly<Record<string, number>> {
    const { plan, shape } = this.#cut;
    return {
      workgroup_size: shape.workgroupSize,
      barriers: Number(shape.barriers),
      advances: Number(last),
      accumulates: Number(plan.accumulate > 1),
      ...Object.fromEntries(
        Object.entries(context.ruleSet.flags).map(([flag, value]) => [snakeCase(flag), Number(value)]),
      ),
      ...pass.constants?.(context, shape, mostLanes(this.#device)),
    };
  }
}
