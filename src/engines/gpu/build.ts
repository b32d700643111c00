// Binds compiled stages to an optimizer's buffers: makes the tables that their kernels iterate over, and their dispatches in order.

import type { BuildContext, BuildDispatches, NamedBuffers, NamedKernel, Pass, Stage } from "../stages/stage.ts";
import { linesOf } from "../stages/stage.ts";
import { chunkStruct, placesStruct, sizesStruct } from "../stages/structs.ts";
import type { CreateBuffer } from "./allocate.ts";
import { type Cut, chunksIn, chunksOf, type Launch, type Origins, originIn } from "./chunks.ts";
import { grid } from "./device.ts";
import type { Dispatch } from "./kernel.ts";
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

/** A stage's kernels for some launches: one for each pass and launch, or one for each pass. */
export interface CompiledStage {
  readonly stage: Stage;
  readonly launches: readonly Launch[];
  readonly passes: readonly { readonly pass: Pass; readonly kernels: readonly NamedKernel[] }[];
  /** Dispatches after its passes that it compiled itself. */
  readonly others: BuildDispatches | undefined;
}

/** A buffer with the entries that its kernels iterate over. */
export interface Table {
  readonly buffer: GPUBuffer;
  encode(): Uint8Array<ArrayBuffer>;
}

/** What the passes of a launch bind besides what its rule set shares. */
interface BoundLaunch {
  readonly origins: Origins;
  readonly count: number;
  readonly buffers: NamedBuffers;
  /** For passes over the gradients as the caller wrote them, where several make an update. */
  readonly raw: NamedBuffers | undefined;
}

export class Builder {
  /** Rewritten when other rows of a tensor come into use. */
  readonly tables: Table[] = [];
  readonly #device: GPUDevice;
  readonly #cut: Cut;
  readonly #create: CreateBuffer;
  readonly #buffers: SharedBuffers;
  readonly #partials: NamedBuffers;
  /** By rule set and page. */
  readonly #sizes = new Map<string, GPUBuffer>();
  readonly #bound: ReadonlyMap<Launch, BoundLaunch>;

  /** @param partials The sums that updates store for each chunk, if a modifier needs them. */
  constructor(device: GPUDevice, cut: Cut, create: CreateBuffer, buffers: SharedBuffers, partials: NamedBuffers) {
    [this.#device, this.#cut, this.#create, this.#buffers, this.#partials] = [device, cut, create, buffers, partials];
    for (const { ruleSet, page } of cut.launches) {
      if (this.#sizes.has(`${ruleSet} ${page}`)) continue;
      const bytes = sizesStruct.encode([sizesOf(cut, ruleSet, page)]);
      this.#sizes.set(`${ruleSet} ${page}`, create("sizes", bytes.byteLength, bytes, "uniform"));
    }
    this.#bound = new Map(cut.launches.map((launch) => [launch, this.#bind(launch)]));
  }

  dispatches(stages: readonly CompiledStage[]): readonly Dispatch[] {
    return stages.flatMap((stage) => this.#ofStage(stage));
  }

  #bind(launch: Launch): BoundLaunch {
    const { plan } = this.#cut;
    const { params, gradients, accumulated } = this.#buffers;
    const { page, external, places } = launch;
    const accumulates = plan.accumulate > 1;
    const chunk = chunkStruct(placesStruct(linesOf(plan)));
    const chunks = (label: string, origins: Origins) =>
      this.#table(label, () => chunk.encode(chunksIn(this.#cut, launch, origins)));
    const raw = { gradients: external?.gradients ?? gradients[page]! };
    const rawOrigin = originIn("gradients", launch);
    const inSum: Origins["gradients"] = ({ segment }) => segment.offset;
    const origins = { params: originIn("params", launch), gradients: accumulates ? inSum : rawOrigin };
    return {
      origins,
      count: places.reduce((sum, place) => sum + chunksOf(place), 0),
      buffers: {
        params: external?.params ?? params[page]!,
        gradients: accumulates ? accumulated[page]! : raw.gradients,
        chunks: chunks("chunks", origins),
      },
      raw: accumulates
        ? {
            ...raw,
            sums: accumulated[page]!,
            chunks: chunks("chunks to add up", { params: inSum, gradients: rawOrigin }),
          }
        : undefined,
    };
  }

  #ofStage({ stage, launches, passes, others }: CompiledStage): readonly Dispatch[] {
    const [cut, first] = [this.#cut, launches[0]!];
    const context: BuildContext = {
      ...cut,
      ruleSet: cut.plan.ruleSets[first.ruleSet]!,
      layout: cut.layouts[first.ruleSet]!,
      create: this.#create,
      launch: undefined,
      origins: undefined,
    };
    const shared = { ...this.#partials, ...stage.buffers?.(context) };
    const ofSet = (launch: Launch) => ({ ...this.#ofRuleSet(launch), ...shared });
    const dispatches = passes.flatMap(({ pass, kernels }) => {
      if (pass.each === "once") return this.#ofPass(pass, kernels[0]!, context, ofSet(first));
      return launches.flatMap((launch, i) => {
        const { origins, buffers, raw, count } = this.#bound.get(launch)!;
        const named = { ...ofSet(launch), ...(pass.raw ? raw : buffers) };
        return this.#ofPass(pass, kernels[i]!, { ...context, launch, origins }, named, count);
      });
    });
    return others ? [...dispatches, ...others(context, ofSet(first))] : dispatches;
  }

  #ofRuleSet({ ruleSet, page }: Launch): NamedBuffers {
    const { table, control, states, scalars } = this.#buffers;
    const sizes = this.#sizes.get(`${ruleSet} ${page}`)!;
    return { table, control, sizes, state: states[ruleSet]!, scalars: scalars[ruleSet]! };
  }

  /** @param chunks How many chunks it covers, unless it has tasks or dispatches of its own. */
  #ofPass(
    pass: Pass,
    kernel: NamedKernel,
    context: BuildContext,
    named: NamedBuffers,
    chunks?: number,
  ): readonly Dispatch[] {
    if (pass.dispatches) return pass.dispatches(context, kernel, named);
    const tasks = pass.tasks?.(context);
    const values = tasks?.values();
    const count = values ? values.length : chunks!;
    if (count === 0) return [];
    const encode = () => tasks!.struct.encode(tasks!.values());
    const made = tasks && {
      [tasks.binding]: this.#table(`${tasks.binding} of ${pass.name}`, encode, tasks.struct.encode(values!)),
    };
    return [
      {
        pipeline: kernel.pipeline,
        bindGroup: kernel.bind({ ...named, ...made }),
        workgroups: [...grid(this.#device, count), this.#cut.plan.replicas],
      },
    ];
  }

  #table(label: string, encode: Table["encode"], bytes = encode()): GPUBuffer {
    const buffer = this.#create(label, bytes.byteLength, bytes);
    this.tables.push({ buffer, encode });
    return buffer;
  }
}
