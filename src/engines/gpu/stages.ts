// The dispatches of a step: compiles every kernel of a plan's stages, makes their tables, and puts them in order. After this
// nothing is compiled or created.

import { type Source, snakeCase } from "../../base/assemble.ts";
import type { Segment } from "../../optimizer/arena.ts";
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { sourceOf } from "../stages/compile.ts";
import { gradientStages, ruleStages, stepStages } from "../stages/list.ts";
import { vec4Access } from "../stages/snippets.ts";
import {
  type BuildContext,
  type BuildDispatches,
  type KernelContext,
  linesOf,
  type NamedBuffers,
  type NamedKernel,
  type Pass,
  type Stage,
} from "../stages/stage.ts";
import { chunkStruct, placesStruct, sizesStruct } from "../stages/structs.ts";
import type { CreateBuffer } from "./allocate.ts";
import { chunksIn, chunksOf, type Launch, launchesOf, numberChunks, type Origins, originIn } from "./chunks.ts";
import { grid } from "./device.ts";
import { compileKernel, type Dispatch } from "./kernel.ts";
import { mostLanes, type StreamShape } from "./kernel_shapes.ts";
import { sizesOf } from "./sizes.ts";

/** The buffers of an optimizer that its kernels share. */
export interface SharedBuffers {
  /** By page, like the gradients. */
  readonly params: readonly GPUBuffer[];
  readonly gradients: readonly GPUBuffer[];
  /** Gradients added up, by page; none where every gradient makes an update. */
  readonly accumulated: readonly GPUBuffer[];
  readonly control: GPUBuffer;
  readonly table: GPUBuffer;
  /** By rule set. */
  readonly states: readonly GPUBuffer[];
  readonly scalars: readonly GPUBuffer[];
}

/** The dispatches of a call of `encode`. */
export interface StepDispatches {
  /** Adds up gradients, where several make an update. */
  readonly accumulate: readonly Dispatch[];
  readonly update: readonly Dispatch[];
}

/** A buffer with the entries that its kernels iterate over. */
export interface Table {
  readonly buffer: GPUBuffer;
  encode(): Uint8Array<ArrayBuffer>;
}

/** The stages with their buffers: the dispatches, and what can be read. */
export interface BuiltStages {
  readonly dispatches: StepDispatches;
  /** Rewritten when other rows of a tensor come into use. */
  readonly tables: readonly Table[];
  /** The sums that updates store for each chunk, replica after replica; undefined if no modifier needs them. */
  readonly layerStats: GPUBuffer | undefined;
}

/** Compiled, and waiting for buffers. */
export interface Stages {
  readonly launches: readonly Launch[];
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
  const numbers = numberChunks(layouts);
  const perChunk = shape.barriers ? 1 : shape.workgroupSize;
  const launches = launchesOf(layouts, device.limits.maxStorageBufferBindingSize);
  const modifiers = plan.modifiers;
  const files = modifiers.find((modifier) => modifier.files)?.files;
  const layerStatsBytes = numbers.total * perChunk * (files?.struct.bytes ?? 0);
  const accumulates = plan.accumulate > 1;
  const kernels = new KernelCache(device, shape);
  const contextOf = ({ ruleSet, access }: Pick<Launch, "ruleSet" | "access">): KernelContext => ({
    plan,
    ruleSet: plan.ruleSets[ruleSet]!,
    layout: layouts[ruleSet]!,
    access,
    modifiers,
  });

  /** A stage's kernels for some launches: one per pass and launch, or one per pass; and whatever it compiles itself. */
  const compile = async (stage: Stage, all: readonly Launch[]): Promise<CompiledStage> => {
    const once = { ruleSet: all[0]!.ruleSet, access: vec4Access };
    const passes = Promise.all(
      stage.passes.map(async (pass) => {
        const of = pass.each === "launch" ? all : [once];
        const compiled = of.map((launch) => {
          const last = launch === launches.at(-1);
          const key = `${launch.ruleSet} ${launch.access.name} ${last} ${stage.name} ${pass.name}`;
          return kernels.get(key, pass, contextOf(launch), last);
        });
        return { pass, kernels: await Promise.all(compiled) };
      }),
    );
    const [compiled, behind] = await Promise.all([passes, stage.compile?.(device, contextOf(once))]);
    return { stage, launches: all, passes: compiled, behind };
  };
  const compileAll = (stages: readonly Stage[], all: readonly Launch[]) =>
    Promise.all(stages.map((stage) => compile(stage, all)));

  const [gradient, step, ...sets] = await Promise.all([
    compileAll(gradientStages(plan), launches),
    compileAll(stepStages(plan), launches),
    ...plan.ruleSets.map((ruleSet, index) =>
      compileAll(
        ruleStages(plan, ruleSet),
        launches.filter((launch) => launch.ruleSet === index),
      ),
    ),
  ]);

  const build = (create: CreateBuffer, buffers: SharedBuffers): BuiltStages => {
    const layerStats = files && create("layer statistics", plan.replicas * layerStatsBytes);
    const tables: Table[] = [];
    const table = (label: string, encode: Table["encode"], bytes = encode()) => {
      const buffer = create(label, bytes.byteLength, bytes);
      tables.push({ buffer, encode });
      return buffer;
    };
    const chunk = chunkStruct(placesStruct(linesOf(modifiers)));
    const uniforms = new Map<string, GPUBuffer>();
    for (const { ruleSet, page } of launches) {
      if (uniforms.has(`${ruleSet} ${page}`)) continue;
      const bytes = sizesStruct.encode([sizesOf(plan, ruleSet, page, layouts[ruleSet]!, segments, numbers, perChunk)]);
      uniforms.set(`${ruleSet} ${page}`, create("sizes", bytes.byteLength, bytes, "uniform"));
    }
    const cuts = new Map(launches.map((launch) => [launch, cutLaunch(launch)]));
    const over = (count: number): [number, number, number] => [...grid(device, count), plan.replicas];

    /** A launch's buffers and chunk tables: for updates, and for adding gradients up. */
    function cutLaunch(launch: Launch) {
      const layout = layouts[launch.ruleSet]!;
      const rawOrigin = originIn("gradients", launch);
      const sum: Origins["gradients"] = ({ segment }) => segment.offset;
      const origins = { params: originIn("params", launch), gradients: accumulates ? sum : rawOrigin };
      const cut = (by: Origins) => () => chunk.encode(chunksIn(plan, layout, launch, numbers, by));
      const { page } = launch;
      const raw = { gradients: launch.external?.gradients ?? buffers.gradients[page]! };
      return {
        origins,
        count: launch.places.reduce((sum, place) => sum + chunksOf(place), 0),
        bound: {
          params: launch.external?.params ?? buffers.params[page]!,
          gradients: accumulates ? buffers.accumulated[page]! : raw.gradients,
          chunks: table("chunks", cut(origins)),
        },
        raw: accumulates
          ? {
              ...raw,
              sums: buffers.accumulated[page]!,
              chunks: table("chunks to add up", cut({ params: sum, gradients: rawOrigin })),
            }
          : undefined,
      };
    }

    function dispatchesOf({ stage, launches, passes, behind }: CompiledStage): readonly Dispatch[] {
      const [first] = launches;
      const { ruleSet: index } = first!;
      const context: BuildContext = {
        ...{ plan, layouts, modifiers, numbers, shape, perChunk, create },
        ruleSet: plan.ruleSets[index]!,
        layout: layouts[index]!,
        launch: undefined,
        origins: undefined,
      };
      const shared = { ...(layerStats ? { partials: layerStats } : {}), ...stage.buffers?.(context) };
      const ofSet = ({ ruleSet, page }: Launch) => ({
        ...{ table: buffers.table, control: buffers.control, sizes: uniforms.get(`${ruleSet} ${page}`)! },
        ...{ state: buffers.states[ruleSet]!, scalars: buffers.scalars[ruleSet]!, ...shared },
      });
      const dispatches = passes.flatMap(({ pass, kernels }) => {
        if (pass.each === "once") return dispatchesOfPass(pass, kernels[0]!, context, ofSet(first!), undefined);
        return launches.flatMap((launch, i) => {
          const { origins, bound, raw, count } = cuts.get(launch)!;
          const named = { ...ofSet(launch), ...(pass.raw ? raw : bound) };
          return dispatchesOfPass(pass, kernels[i]!, { ...context, launch, origins }, named, count);
        });
      });
      return behind ? [...dispatches, ...behind(context, ofSet(first!))] : dispatches;
    }

    function dispatchesOfPass(
      pass: Pass,
      kernel: NamedKernel,
      context: BuildContext,
      named: NamedBuffers,
      chunks: number | undefined,
    ): readonly Dispatch[] {
      if (pass.dispatches) return pass.dispatches(context, kernel, named);
      const tasks = pass.tasks?.(context);
      const values = tasks?.values();
      const count = values ? values.length : chunks!;
      if (count === 0) return [];
      const made = tasks && {
        [tasks.binding]: table(
          `${tasks.binding} of ${pass.name}`,
          () => tasks.struct.encode(tasks.values()),
          tasks.struct.encode(values!),
        ),
      };
      return [{ pipeline: kernel.pipeline, bindGroup: kernel.bind({ ...named, ...made }), workgroups: over(count) }];
    }

    const all = (stages: readonly CompiledStage[]) => stages.flatMap(dispatchesOf);
    return {
      dispatches: { accumulate: all(gradient), update: [...all(step), ...sets.flatMap(all)] },
      layerStats,
      tables,
    };
  };
  return {
    launches,
    layerStatsBytes,
    layers: (layerStats) => files!.layers(layouts, numbers, perChunk, layerStats),
    build,
  };
}

interface CompiledStage {
  readonly stage: Stage;
  readonly launches: readonly Launch[];
  readonly passes: readonly { readonly pass: Pass; readonly kernels: readonly NamedKernel[] }[];
  readonly behind: BuildDispatches | undefined;
}

/** Kernels by name: launches that differ only in buffers share them. */
class KernelCache {
  readonly #device: GPUDevice;
  readonly #shape: StreamShape;
  readonly #kernels = new Map<string, Promise<NamedKernel>>();

  constructor(device: GPUDevice, shape: StreamShape) {
    this.#device = device;
    this.#shape = shape;
  }

  /** @param last Whether it belongs to the last launch, whose update advances the step. */
  get(key: string, pass: Pass, context: KernelContext, last: boolean): Promise<NamedKernel> {
    const known = this.#kernels.get(key);
    if (known) return known;
    const source = sourceOf(pass, context);
    const constants = this.#constants(pass, context, last);
    // A source accepts only constants that it declares.
    const declared = Object.entries(constants).filter(([name]) => declares(source, name));
    const bindings = pass.bindings(context);
    const uses = bindings.map(({ use }) => use);
    const kernel = compileKernel(this.#device, source, uses, Object.fromEntries(declared)).then(
      ({ pipeline, bind }): NamedKernel => ({
        pipeline,
        bind: (named) => bind(bindings.map(({ name }) => named[name]!)),
      }),
    );
    this.#kernels.set(key, kernel);
    return kernel;
  }

  /** The constants that select a kernel's code. Everything else is in the uniform buffer. */
  #constants(pass: Pass, context: KernelContext, last: boolean): Readonly<Record<string, number>> {
    const flags = Object.entries(context.ruleSet.flags).map(
      ([flag, value]) => [snakeCase(flag), Number(value)] as const,
    );
    return {
      workgroup_size: this.#shape.workgroupSize,
      barriers: Number(this.#shape.barriers),
      advances: Number(last),
      accumulates: Number(context.plan.accumulate > 1),
      ...Object.fromEntries(flags),
      ...pass.constants?.(context, this.#shape, mostLanes(this.#device)),
    };
  }
}

function declares({ code }: Source, constant: string): boolean {
  return new RegExp(`override ${constant}\\b`).test(code);
}
