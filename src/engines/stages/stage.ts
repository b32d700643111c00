// A stage: what a step does besides the rule's own formula, as a value. It defines its kernels' WGSL, their bindings, what they
// iterate over and how often they are dispatched, so that one compiler and one builder (src/engines/gpu) serve all.
import type { Snippet } from "../../base/assemble.ts";
import type { Struct } from "../../base/struct.ts";
import type { RuleSetLayout } from "../../optimizer/layout.ts";
import type { LayerStats } from "../../optimizer/optimizer.ts";
import type { Plan, RuleSet } from "../../optimizer/plan.ts";
import type { readScalars } from "../../optimizer/scalars.ts";
import type { CreateBuffer } from "../gpu/allocate.ts";
import type { Cut, Launch, Origins } from "../gpu/chunks.ts";
import type { BindingUse, Dispatch } from "../gpu/kernel.ts";
import type { StreamShape } from "../gpu/kernel_shapes.ts";
import type { CellValues, Row, TwinContext, Work } from "./twin.ts";

/**
 * How kernels access parameters and gradients: four elements at once in the arenas and in external buffers that allow it, else
 * one by one.
 */
export interface Access {
  readonly name: "vec4" | "scalar";
  /** The WGSL type of the entries of the bound buffers. */
  readonly entry: "vec4f" | "f32";
  /** Loads gradients. */
  readonly gradients: Snippet;
  /** Loads and stores parameters. */
  readonly params: Snippet;
}

/** A buffer that a kernel binds, by its name in WGSL; its index is its place in the kernel's list. */
export interface Binding {
  readonly name: string;
  readonly use: BindingUse;
  /** The WGSL type of the variable, which may depend on that of the arenas' entries. */
  readonly type: string | ((entry: Access["entry"]) => string);
}

/** Everything from which the kernels of one rule set are made. */
export interface KernelContext {
  readonly plan: Plan;
  readonly ruleSet: RuleSet;
  readonly layout: RuleSetLayout;
  readonly access: Access;
}

/** One kernel of a stage. */
export interface Pass {
  readonly name: string;
  /** Dispatched for each launch (the tensors that can be bound together), or once for the whole stage. */
  readonly each: "launch" | "once";
  /** Whether it reads the gradients as the caller wrote them, before they are added up. */
  readonly raw?: boolean;
  bindings(context: KernelContext): readonly Binding[];
  /** The kernel's name in errors, and its snippets of WGSL; the declarations of its bindings come first. */
  source(context: KernelContext): { readonly name: string; readonly snippets: readonly Snippet[] };
  /**
   * `override` constants besides the rule's flags and the workgroup's shape, which they may replace. `mostLanes` is the device's
   * limit for a workgroup.
   */
  constants?(context: KernelContext, shape: StreamShape, mostLanes: number): Readonly<Record<string, number>>;
  /** The entries that workgroups iterate over, if these are not chunks; never more workgroups than entries. */
  tasks?(context: BuildContext): Tasks;
  /** Dispatches that it makes itself, in place of one over chunks or tasks. */
  dispatches?(context: BuildContext, kernel: NamedKernel, buffers: NamedBuffers): readonly Dispatch[];
}

/** A table whose entries workgroups iterate over, bound by name. */
export interface Tasks {
  readonly binding: string;
  readonly struct: Struct;
  /** Called again whenever other rows of a tensor come into use; as many as before. */
  values(): readonly object[];
}

/** Buffers by their names in kernels. */
export type NamedBuffers = Readonly<Record<string, GPUBuffer | GPUBufferBinding>>;

/** A compiled pass, which binds buffers by their names. */
export interface NamedKernel {
  readonly pipeline: GPUComputePipeline;
  bind(buffers: NamedBuffers): GPUBindGroup;
}

/** The context in which a stage is built: a rule set, and for passes over launches one of them. */
export interface BuildContext extends Cut {
  readonly ruleSet: RuleSet;
  readonly layout: RuleSetLayout;
  readonly create: CreateBuffer;
  readonly launch: Launch | undefined;
  readonly origins: Origins | undefined;
}

/** Makes dispatches from compiled kernels. */
export type BuildDispatches = (context: BuildContext, buffers: NamedBuffers) => readonly Dispatch[];

/** One kind of dispatch in a step, with its twin on the CPU. */
export interface Stage {
  /** Unique among the stages of a step. */
  readonly name: string;
  /** Its kernels, in the order of their dispatches. @internal */
  readonly passes: readonly Pass[];
  /** Buffers that its passes share, by their names in kernels. @internal */
  buffers?(context: BuildContext): NamedBuffers;
  /** WGSL that it adds to every kernel over cells, in place of the empty `begin_chunk`. @internal */
  cellSnippets?(context: KernelContext): readonly Snippet[];
  /** Dispatches after its passes that it compiles and binds itself, such as matrix products. @internal */
  compile?(device: GPUDevice, context: KernelContext): Promise<BuildDispatches>;
  /** The same on the CPU, in float64. @internal */
  twin?(context: TwinContext): void;
  /** Reads scalars, if it makes any. @internal */
  readonly readScalars?: typeof readScalars;
}

/** Bytes of one partial sum for each chunk (or lane) of every replica. */
export function partialBytes({ plan, numbers, perChunk }: BuildContext, sum: Struct): number {
  return plan.replicas * numbers.total * perChunk * sum.bytes;
}

/**
 * The points where a modifier hooks in; each hook is a WGSL function named after the modifier:
 *
 * - "gradient": `NAME_gradient(g: vec4f, t: vec4u, places: Places, h: Row) -> vec4f`, of four elements at places `t` of a tensor;
 * - "step": `NAME_step(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell`, after the rule: `updated.p` is the
 *   parameter after decay, from which `updated.step` and `updated.decay` are still to be subtracted;
 * - "update": `NAME_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell`, after the subtraction;
 * - "after": `NAME_after(before: vec4f, step: vec4f, g: vec4f, inside: vec4<bool>)`, of the step that was subtracted;
 * - "end": `NAME_end(place: u32, lane: u32)`, once a chunk is updated, by all lanes together.
 */
export type Hook = "gradient" | "step" | "update" | "after" | "end";

/** Sums that the updates of chunks store, one for each chunk or lane. */
export interface PartialSums {
  readonly struct: Struct;
  /** The norms of every tensor, in the order of the tensors, from the sums stored by one replica's updates. */
  layers(cut: Cut, bytes: ArrayBuffer): readonly LayerStats[];
}

export interface ModifierKernel {
  readonly name: string;
  readonly hooks: readonly Hook[];
  /** The WGSL of its hooks. */
  readonly snippets: readonly Snippet[];
  /** The sum that its "end" stores for each chunk, in the buffer `partials`, which the update then binds too. */
  readonly partials?: PartialSums;
  /** The name of its block of lines, where it keeps numbers per line of a tensor (see {@link placesStruct}). */
  readonly lines?: string;
  /** The same on the CPU, in float64. */
  readonly twin?: {
    /** The gradient of element `i` of a tensor, from its value before. */
    gradient?(g: number, i: number, work: Work): number;
    /**
     * Changes the cell that the rule has updated from the parameter `before`: `x.p` is the parameter after decay, from which
     * `x.step` is still to be subtracted; `r` has the modifier's scalars and the rule's.
     */
    step?(x: CellValues, before: number, g: number, row: Row, r: Row): void;
    /** Changes the cell after that. */
    update?(x: CellValues, before: number, g: number, row: Row, r: Row): void;
  };
  /** Dispatched for it with every gradient, where several make an update. */
  readonly gather?: Stage;
  /** Dispatched for it before the stages of all rule sets; once for several modifiers with the same stage. */
  readonly step?: Stage;
  /** Dispatched for it before the rule's own stages, and after them. */
  readonly beforeRule?: Stage;
  readonly afterRule?: Stage;
}

/** The blocks of lines that modifiers keep. */
export function linesOf({ modifiers }: Plan): readonly string[] {
  return modifiers.flatMap(({ lines }) => lines ?? []);
}

/** The modifiers that take effect before one. */
export function modifiersBefore(name: string, modifiers: readonly ModifierKernel[]): readonly ModifierKernel[] {
  return modifiers.slice(
    0,
    modifiers.findIndex((modifier) => modifier.name === name),
  );
}
