// The dispatches of a step: compiles every kernel that a plan needs, makes their tables, and puts them in order. After
// this nothing is compiled or created.
import { type Segment, sidesOf } from "../arena.ts";
import {
  assembleAccumulate,
  assembleConclude,
  assembleLines,
  assembleMeasure,
  assembleNorm,
  assemblePrepare,
  assembleUpdate,
  finalizeSource,
  newtonSchulzSource,
  type PartSources,
  type Phase,
  phasesOf,
  type Source,
  snakeCase,
} from "../assemble.ts";
import { type PartLayout, slotRange } from "../layout.ts";
import { newtonSchulz } from "../newton_schulz.ts";
import type { LayerStats } from "../optimizer.ts";
import { needsNorm, type Plan } from "../plan.ts";
import { bytesOf, type CreateBuffer } from "./allocate.ts";
import {
  binWords,
  type ChunkNumbers,
  chunkTable,
  chunkWords,
  clipBinTable,
  type Launch,
  launchesOf,
  lineTable,
  lineWords,
  numberChunks,
  type Origins,
  originIn,
  reductionBins,
} from "./chunks.ts";
import { grid } from "./device.ts";
import { type BindingUse, compileKernel, type Dispatch, type Kernel } from "./kernel.ts";
import { layersOf, notedBytes } from "./noted.ts";
import type { StreamShape } from "./shapes.ts";
import { encodeSizes, sizesOf } from "./sizes.ts";

/** The buffers of an optimizer that its kernels share. */
export interface SharedBuffers {
  readonly params: GPUBuffer;
  readonly gradients: GPUBuffer;
  /** Gradients added up; undefined where each of them makes an update. */
  readonly accumulated: GPUBuffer | undefined;
  readonly control: GPUBuffer;
  readonly table: GPUBuffer;
  /** By part. */
  readonly states: readonly GPUBuffer[];
  readonly scalars: readonly GPUBuffer[];
}

/** What a call of `encode` dispatches. */
export interface StepDispatches {
  /** Adding up, where several gradients make an update. */
  readonly accumulate: readonly Dispatch[];
  readonly update: readonly Dispatch[];
}

/** Made of buffers: what is dispatched, and what can be read of it. */
export interface BuiltStages {
  readonly dispatches: StepDispatches;
  /** Where updates note what they do, replica after replica; undefined without `watch`. */
  readonly noted: GPUBuffer | undefined;
}

/** Compiled, and waiting for buffers. */
export interface Stages {
  readonly launches: readonly Launch[];
  /** Bytes that each replica's updates note. */
  readonly notedBytes: number;
  /** The norms of every tensor from what one replica's updates noted. */
  layers(noted: ArrayBuffer): readonly LayerStats[];
  build(create: CreateBuffer, buffers: SharedBuffers): BuiltStages;
}

export async function compileStages(
  device: GPUDevice,
  plan: Plan,
  layouts: readonly PartLayout[],
  segments: readonly Segment[],
  shape: StreamShape,
): Promise<Stages> {
  const { workgroupSize, barriers } = shape;
  const perChunk = barriers ? 1 : workgroupSize;
  const numbers = numberChunks(layouts);
  const launches = launchesOf(layouts, device.limits.maxStorageBufferBindingSize);
  const kernels = new KernelCache(device);
  const sourcesOf = ({ part, access }: Launch): PartSources => ({
    plan,
    part: plan.parts[part]!,
    layout: layouts[part]!,
    access,
  });
  const accumulates = plan.accumulate > 1;

  /** What picks the code of a part's kernels, and more. Everything else is in the uniform buffer. */
  const constants = ({ part }: { readonly part: number }, more: Record<string, number> = {}) => ({
    workgroup_size: workgroupSize,
    barriers: Number(barriers),
    ...Object.fromEntries(
      Object.entries(plan.parts[part]!.flags).map(([flag, value]) => [snakeCase(flag), Number(value)]),
    ),
    ...more,
  });
  const compile = (launch: Launch, name: string, source: () => Source, uses: readonly BindingUse[], more = {}) =>
    kernels.get(`${launch.part} ${launch.access} ${name}`, source, uses, constants(launch, more));

  const normKind = plan.clip && "norm" in plan.clip ? (plan.clip.norm === "inf" ? 0 : plan.clip.norm) : 2;
  const perLaunch = await Promise.all(
    launches.map(async (launch, index) => {
      const sources = sourcesOf(launch);
      const { rule } = sources.part;
      const reduces = layouts[launch.part]!.scalars.length > 0;
      const normUses: BindingUse[] = ["write", "read", "read", "read", "write", "uniform"];
      const cell: BindingUse[] = ["write", "read", "write", "read", "read", "write", "uniform"];
      const updateUses: BindingUse[] = [
        ...cell,
        ...(reduces ? (["write"] as const) : []),
        ...(plan.watch ? (["write"] as const) : []),
      ];
      const advances = index === launches.length - 1;
      const [norm, update, unitClip, factor, prepare, measures] = await Promise.all([
        needsNorm(plan)
          ? compile(launch, "norm", () => assembleNorm(sources), normUses, { norm_kind: normKind })
          : undefined,
        compile(launch, `update ${advances}`, () => assembleUpdate(sources), updateUses, {
          advances: Number(advances),
        }),
        plan.clip?.type === "adaptive"
          ? compile(launch, "unitClip", () => assembleLines(sources, "unitClip"), cell)
          : undefined,
        rule.factored ? compile(launch, "factor", () => assembleLines(sources, "factor"), cell) : undefined,
        rule.orthogonalises
          ? compile(launch, "prepare", () => assemblePrepare(sources), [...cell, "write", "write"])
          : undefined,
        Promise.all(
          phasesOf(plan, sources.part).map((phase) =>
            compile(launch, `measure ${phase}`, () => assembleMeasure(sources, phase), [...cell, "write", "write"]),
          ),
        ),
      ]);
      return { norm, update, unitClip, factor, prepare, measures };
    }),
  );
  const concludes = await Promise.all(
    plan.parts.map((part, index) => {
      const sources: PartSources = { plan, part, layout: layouts[index]!, access: "vec4" };
      return Promise.all(
        phasesOf(plan, part).map((phase) =>
          kernels.get(
            `${index} conclude ${phase}`,
            () => assembleConclude(sources, phase),
            ["read", "write", "read", "uniform", "read", "write"],
            constants({ part: index }, { workgroup_size: barriers ? workgroupSize : 1 }),
          ),
        ),
      );
    }),
  );
  const { lossScale, clip } = plan;
  const finalize = needsNorm(plan)
    ? await kernels.get("finalize", () => finalizeSource, ["read", "read", "write", "uniform", "read"], {
        workgroup_size: barriers ? 256 : 1,
        barriers: Number(barriers),
        norm_kind: normKind,
        clip: Number(clip !== undefined && "maxNorm" in clip),
        skip_non_finite: Number(plan.skipNonFinite),
        loss_scaling: Number(lossScale !== undefined),
      })
    : undefined;
  const adders = await Promise.all(
    (accumulates ? launches : []).map(({ access }, index) => {
      const advances = Number(index === launches.length - 1);
      const uses: BindingUse[] = ["write", "read", "read", "uniform", "write"];
      return kernels.get(`accumulate ${access} ${advances}`, () => assembleAccumulate(access), uses, {
        workgroup_size: workgroupSize,
        barriers: Number(barriers),
        advances,
      });
    }),
  );
  const products = plan.parts.some(({ rule }) => rule.orthogonalises)
    ? await kernels.get("products", () => newtonSchulzSource, ["read", "read", "read", "write", "read"], {})
    : undefined;

  const build = (create: CreateBuffer, buffers: SharedBuffers): BuiltStages => {
    const z = plan.replicas;
    const noted = plan.watch ? create("noted", z * notedBytes(numbers, perChunk)) : undefined;
    const table = (label: string, words: Uint32Array) => create(label, words.byteLength, bytesOf(words));
    const uniforms = layouts.map((layout, part) => {
      const bytes = encodeSizes(sizesOf(plan, part, layout, segments, numbers, perChunk));
      return create("sizes", bytes.byteLength, bytes, "uniform");
    });
    const partials = needsNorm(plan) ? create("partials", z * numbers.total * perChunk * 12) : undefined;
    const cut = launches.map((launch) => cutLaunch(plan, layouts, launch, numbers, accumulates, buffers, table));
    const over = (count: number): [number, number, number] => [...grid(device, count), z];
    const update: Dispatch[] = [];
    const add = (
      kernel: Kernel,
      bound: readonly (GPUBuffer | GPUBufferBinding)[],
      workgroups: Dispatch["workgroups"],
    ) => update.push({ pipeline: kernel.pipeline, bindGroup: kernel.bind(bound), workgroups });

    if (finalize && partials) {
      launches.forEach(({ part }, i) => {
        const { gradients, chunks, count } = cut[i]!;
        const bound = [partials, gradients, chunks, buffers.table, buffers.control, uniforms[part]!];
        add(perLaunch[i]!.norm!, bound, over(count));
      });
      const bins = table("clip bins", clipBinTable(plan, layouts, numbers, perChunk));
      add(finalize, [partials, bins, buffers.control, uniforms[0]!, buffers.table], [z, 1, 1]);
    }
    plan.parts.forEach((part, index) => {
      const [state, rows, scalars] = [buffers.states[index]!, buffers.table, buffers.scalars[index]!];
      const layout = layouts[index]!;
      const sizes = uniforms[index]!;
      const own = launches.map((launch, i) => ({ launch, ...cut[i]!, kernels: perLaunch[i]! }));
      const its = own.filter(({ launch }) => launch.part === index);
      for (const what of ["unitClip", "factor"] as const) {
        for (const { launch, params, gradients, origins, kernels: compiled } of its) {
          const kernel = compiled[what];
          if (!kernel) continue;
          const tasks = lineTable(plan, layout, launch, what, origins, shape);
          if (tasks.length === 0) continue;
          const lines = table(`${what} lines`, tasks);
          add(kernel, [params, gradients, state, lines, rows, buffers.control, sizes], over(tasks.length / lineWords));
        }
      }
      const sumUp = (phase: Phase) => {
        const step = phasesOf(plan, part).indexOf(phase);
        if (step < 0) return;
        const sums = create(`sums of ${phase}`, z * numbers.total * perChunk * 4 * sumFields(part.rule, phase));
        for (const { params, gradients, chunks, count, kernels: compiled } of its) {
          const bound = [params, gradients, state, chunks, rows, buffers.control, sizes, scalars, sums];
          add(compiled.measures[step]!, bound, over(count));
        }
        const scope = phase === "rule" ? part.rule.reduction!.scope : "tensor";
        const words = reductionBins(part, layout, scope, numbers, perChunk);
        const bins = table(`bins of ${phase}`, words);
        add(
          concludes[index]![step]!,
          [sums, buffers.control, rows, sizes, bins, scalars],
          over(words.length / binWords),
        );
      };
      sumUp("rule");
      if (part.rule.orthogonalises && products) {
        const prepared = create("prepared matrices", z * layout.slotStride * 4);
        for (const { params, gradients, chunks, count, kernels: compiled } of its) {
          const bound = [params, gradients, state, chunks, rows, buffers.control, sizes, scalars, prepared];
          add(compiled.prepare!, bound, over(count));
        }
        update.push(...orthogonaliseDispatches({ create, products, plan, layout, part: index, state, prepared }));
      }
      // Caution goes by the whole update, so it comes after all that the update needs.
      sumUp("cautious");
      for (const { params, gradients, chunks, count, kernels: compiled } of its) {
        const bound = [params, gradients, state, chunks, rows, buffers.control, sizes];
        if (layout.scalars.length > 0) bound.push(scalars);
        if (noted) bound.push(noted);
        add(compiled.update, bound, over(count));
      }
    });
    const accumulate = adders.map(({ pipeline, bind }, i): Dispatch => {
      const { raw, rawChunks, count } = cut[i]!;
      const bound = [buffers.accumulated!, raw, rawChunks!, uniforms[launches[i]!.part]!, buffers.control];
      return { pipeline, bindGroup: bind(bound), workgroups: over(count) };
    });
    return { dispatches: { accumulate, update }, noted };
  };
  return {
    launches,
    notedBytes: notedBytes(numbers, perChunk),
    layers: (noted) => layersOf(layouts, numbers, perChunk, noted),
    build,
  };
}

/** A launch's buffers and chunk tables. */
function cutLaunch(
  plan: Plan,
  layouts: readonly PartLayout[],
  launch: Launch,
  numbers: ChunkNumbers,
  accumulates: boolean,
  buffers: SharedBuffers,
  table: (label: string, words: Uint32Array) => GPUBuffer,
) {
  const layout = layouts[launch.part]!;
  const raw = launch.own?.gradients ?? buffers.gradients;
  const rawOrigin = originIn("gradients", launch);
  const sum: Origins["gradients"] = ({ segment }) => segment.offset;
  const origins: Origins = {
    params: originIn("params", launch),
    gradients: accumulates ? sum : rawOrigin,
  };
  const words = chunkTable(plan, layout, launch, numbers, origins);
  const adding = () => chunkTable(plan, layout, launch, numbers, { params: sum, gradients: rawOrigin });
  return {
    origins,
    raw,
    rawChunks: accumulates ? table("chunks to add up", adding()) : undefined,
    params: launch.own?.params ?? buffers.params,
    gradients: accumulates ? buffers.accumulated! : raw,
    chunks: table("chunks", words),
    count: words.length / chunkWords,
  };
}

function sumFields(rule: PartSources["part"]["rule"], phase: Phase): number {
  return 1 + (phase === "rule" ? rule.reduction!.sums.length : 1);
}

/** Five steps of Newton–Schulz for each matrix, from `prepared` into the state's slot. */
function orthogonaliseDispatches({
  create,
  products,
  plan,
  layout,
  part,
  state,
  prepared,
}: {
  create: CreateBuffer;
  products: Kernel;
  plan: Plan;
  layout: PartLayout;
  part: number;
  state: GPUBuffer;
  prepared: GPUBuffer;
}): Dispatch[] {
  const { rule, flags } = plan.parts[part]!;
  const { slot, scale } = rule.orthogonalises!;
  const smallest = layout.places.map(({ segment }) => Math.min(...segment.shape) ** 2);
  const square = Math.max(...smallest);
  const gram = create("Gram matrices", plan.replicas * square * 4);
  const mixed = create("mixed matrices", plan.replicas * square * 4);
  const { a, b, c, steps } = newtonSchulz;
  return layout.places.flatMap((place) => {
    const [rows, columns] = place.segment.shape as [number, number];
    const tall = rows > columns;
    const [small, large] = tall ? [columns, rows] : [rows, columns];
    // Rows of X are the matrix's shorter side.
    const [row, column] = tall ? [1, small] : [large, 1];
    const at = (offset: number, row: number, column: number, replica: number) => [offset, row, column, replica];
    const inSlot = at(slotRange(layout, place, slot).offset, row, column, layout.stateLength);
    const inPrepared = at(place.offset, row, column, layout.slotStride);
    const turned = ([offset, row, column, replica]: number[]) => [offset!, column!, row!, replica!];
    const squared = at(0, small, 1, square);
    const product = (
      operands: readonly (readonly [GPUBuffer, number[]])[],
      [m, n, k]: readonly [number, number, number],
      alpha: number,
      beta: number,
    ): Dispatch => {
      const words = new ArrayBuffer(21 * 4);
      new Uint32Array(words).set([...operands.flatMap(([, operand]) => operand), m, n, k]);
      new Float32Array(words).set([alpha, beta], 19);
      const [left, right, added, result] = operands.map(([buffer]) => buffer);
      const job = create("product", words.byteLength, new Uint8Array(words));
      const tiles = (length: number) => Math.ceil(length / 32);
      return {
        pipeline: products.pipeline,
        bindGroup: products.bind([left!, right!, added!, result!, job]),
        workgroups: [tiles(n), tiles(m), plan.replicas],
      };
    };
    return Array.from({ length: steps }, (_, step) => {
      // An odd number of steps ends in the slot.
      const from = step % 2 === 0 ? ([prepared, inPrepared] as const) : ([state, inSlot] as const);
      const to = step % 2 === 0 ? ([state, inSlot] as const) : ([prepared, inPrepared] as const);
      const last = step === steps - 1 ? scale(sidesOf(place.segment), flags) : 1;
      const across = [from[0], turned(from[1])] as const;
      const g = [gram, squared] as const;
      const m = [mixed, squared] as const;
      return [
        product([from, across, from, g], [small, small, large], 1, 0),
        product([g, g, g, m], [small, small, small], c, b),
        product([m, from, from, to], [small, large, small], last, a * last),
      ];
    }).flat();
  });
}

/** Kernels by name: launches that differ in buffers alone share them. */
class KernelCache {
  readonly #device: GPUDevice;
  readonly #kernels = new Map<string, Promise<Kernel>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get(
    key: string,
    source: () => Source,
    uses: readonly BindingUse[],
    constants: Readonly<Record<string, number>>,
  ): Promise<Kernel> {
    const known = this.#kernels.get(key);
    if (known) return known;
    const made = source();
    // A rule need not declare what it does not read.
    const declared = Object.entries(constants).filter(([name]) => new RegExp(`override ${name}\\b`).test(made.code));
    const kernel = compileKernel(this.#device, made, uses, Object.fromEntries(declared));
    this.#kernels.set(key, kernel);
    return kernel;
  }
}
