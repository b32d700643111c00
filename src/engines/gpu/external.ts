// Tensors in buffers of the caller, updated in place. Such a tensor brings along what only it needs: its checks, how kernels
// access it, and what they bind.
import { OptionError, show } from "../../base/errors.ts";
import { readNumber, readObject } from "../../base/options.ts";
import type { Segment, Tensor } from "../../optimizer/arena.ts";
import type { Plan } from "../../optimizer/plan.ts";
import { scalarAccess, vec4Access } from "../stages/snippets.ts";
import type { Access } from "../stages/stage.ts";
import { watched, wordsOf } from "./allocate.ts";
import { requireLimit } from "./device.ts";

/** A part of a buffer owned by the caller. */
export interface BufferRange {
  /** The buffer, which is not destroyed with the optimizer. */
  readonly buffer: GPUBuffer;
  /** In bytes; a multiple of 4, default 0. Kernels read 4 elements at once if it is a multiple of 16. */
  readonly offset?: number | undefined;
}

/** A tensor's fields with its buffers, as {@link external} takes them. */
export interface ExternalFields extends Omit<Tensor, "name" | "data" | "external"> {
  /** As in a list of tensors. */
  readonly name?: string;
  /**
   * The parameters, which are updated in place. The buffer needs usage STORAGE; COPY_SRC for reading and saving, and COPY_DST for
   * writing and loading.
   */
  readonly params: BufferRange;
  /** The gradients, which something else writes; in another buffer, with usage STORAGE. */
  readonly gradients: BufferRange;
}

/**
 * A tensor in your own buffers instead of the optimizer's: `external({ shape: [100], params: { buffer }, gradients: { buffer } })`.
 * Its parameters are updated in place, wherever your program keeps them; `createOptimizer` checks the buffers.
 *
 * @throws OptionError for unknown fields.
 */
export function external<T extends ExternalFields>(
  tensor: T,
): Omit<T, "params" | "gradients"> & { readonly external: External } {
  const keys = ["name", "shape", "data", "layout", ...roles];
  const { params, gradients, ...fields } = readObject("external", tensor, keys) as unknown as ExternalFields;
  return { ...(fields as Omit<T, "params" | "gradients">), external: new External(params, gradients) };
}

const roles = ["params", "gradients"] as const;

type ArenaRole = (typeof roles)[number];

/** The alignment of a binding's offset that works on every device; some need less. */
const bindingAlignment = 256;

/** The caller's buffers that hold a tensor. */
export class External {
  /** Where the parameters are. */
  readonly params: BufferRange & { readonly offset: number };
  /** Where the gradients are. */
  readonly gradients: BufferRange & { readonly offset: number };

  /** @param params Unchecked, as are gradients: {@link checked} returns them checked. */
  constructor(params: BufferRange, gradients: BufferRange) {
    this.params = params as External["params"];
    this.gradients = gradients as External["params"];
  }

  /**
   * The same for a tensor of this name and length, and with data if it was given any.
   *
   * @throws OptionError for ranges that do not hold it. @internal
   */
  checked(name: string, length: number, data: unknown): External {
    const range = (role: ArenaRole): BufferRange => {
      const owner = `the ${role} of tensor "${name}"`;
      if (this[role] === undefined) {
        throw new OptionError(`${owner} are missing; a tensor in external buffers needs both params and gradients`);
      }
      const { buffer, offset = 0 } = readObject(owner, this[role], ["buffer", "offset"]) as Partial<BufferRange>;
      if (typeof buffer?.size !== "number") {
        throw new OptionError(`${owner} are in ${show(buffer)}; it must be a GPUBuffer`);
      }
      readNumber(`${owner}: offset`, offset, { min: 0, integer: true });
      if (offset % 4 !== 0) throw new OptionError(`${owner}: offset is ${offset}; it must be a multiple of 4`);
      const end = offset + 4 * length;
      if (end > buffer.size) {
        throw new OptionError(`${owner} end at byte ${end}, past the end of their buffer of ${buffer.size} bytes`);
      }
      return { buffer, offset };
    };
    if (data !== undefined) {
      throw new OptionError(`tensor "${name}" has both data and an external buffer; write to the buffer instead`);
    }
    return new External(range("params"), range("gradients"));
  }

  /**
   * Checks all tensors of an optimizer.
   *
   * @throws OptionError for what external buffers cannot do; DeviceError for more than the device can bind. @internal
   */
  check(device: GPUDevice, { replicas }: Plan, segments: readonly Segment[]): void {
    refuseOverlaps(segments);
    for (const { name, length, external } of segments) {
      if (!external) continue;
      if (replicas > 1) {
        throw new OptionError(
          `tensor "${name}" is in an external buffer; with replicas, tensors must be in the arenas`,
        );
      }
      if (external.params.buffer === external.gradients.buffer) {
        throw new OptionError(
          `the params and gradients of tensor "${name}" are in one buffer, which WebGPU cannot read and write in one dispatch`,
        );
      }
      for (const role of roles) {
        const { buffer, offset } = external[role];
        const owner = `the ${role} of tensor "${name}"`;
        if ((buffer.usage & GPUBufferUsage.STORAGE) === 0) {
          throw new OptionError(`${owner} are in a buffer whose usage lacks STORAGE`);
        }
        requireLimit(device, "maxStorageBufferBindingSize", (offset % bindingAlignment) + 4 * length, owner);
      }
    }
  }

  /** After a refusal: which of the caller's buffers the device cannot bind, if any. @internal */
  async refused(device: GPUDevice, segments: readonly Segment[]): Promise<OptionError | undefined> {
    const layout = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } }],
    });
    for (const { name, external } of segments) {
      if (!external) continue;
      for (const role of roles) {
        const entries = [{ binding: 0, resource: { buffer: external[role].buffer } }];
        const { thrown, trouble } = watched(device, () => device.createBindGroup({ layout, entries }));
        const cause = thrown?.error ?? (await trouble).refusal;
        if (!cause) continue;
        return new OptionError(
          `the ${role} of tensor "${name}" are in an invalid buffer or another device's: ${wordsOf(cause, "it gave no reason")}`,
          { cause },
        );
      }
    }
    return undefined;
  }

  /** To read four elements at once, offsets must match and there must be room for the last four. @internal */
  access(length: number): Access {
    const fits = ({ buffer, offset }: External["params"]) =>
      offset % 16 === 0 && offset + 16 * Math.ceil(length / 4) <= buffer.size;
    return fits(this.params) && fits(this.gradients) ? vec4Access : scalarAccess;
  }

  /** The parts to bind for a tensor of this length. @internal */
  bound(length: number): Bound {
    const bytes = this.access(length) === vec4Access ? 16 * Math.ceil(length / 4) : 4 * length;
    const stretch = ({ buffer, offset: start }: External["params"]): Stretch => {
      const offset = Math.floor(start / bindingAlignment) * bindingAlignment;
      return { buffer, offset, size: start + bytes - offset };
    };
    return new Bound(stretch(this.params), stretch(this.gradients));
  }
}

/** Two tensors in the same place would be updated by two workgroups at once. */
function refuseOverlaps(segments: readonly Segment[]): void {
  const ends = new Map<GPUBuffer, { readonly name: string; readonly from: number; readonly to: number }[]>();
  for (const { name, external, length } of segments) {
    if (!external) continue;
    const { buffer, offset } = external.params;
    const ranges = ends.get(buffer) ?? [];
    ends.set(buffer, ranges);
    ranges.push({ name, from: offset, to: offset + 4 * length });
  }
  for (const ranges of ends.values()) {
    ranges.sort((a, b) => a.from - b.from);
    ranges.forEach(({ name, from }, i) => {
      const before = ranges[i - 1];
      if (before && before.to > from) {
        throw new OptionError(
          `the params of tensors "${before.name}" and "${name}" overlap at byte ${from} of their buffer`,
        );
      }
    });
  }
}

/** The part of an external buffer that holds a launch's tensors; `offset` is one that can be bound. */
type Stretch = Required<GPUBufferBinding>;

/** The bound parts of two external buffers. */
export class Bound {
  params: Stretch;
  gradients: Stretch;

  constructor(params: Stretch, gradients: Stretch) {
    this.params = params;
    this.gradients = gradients;
  }

  /** Extends itself by other parts, if one dispatch can bind both; returns whether it can. */
  add(other: Bound | undefined, most: number): boolean {
    if (this.params.buffer !== other?.params.buffer || this.gradients.buffer !== other.gradients.buffer) return false;
    const params = spanning(this.params, other.params);
    const gradients = spanning(this.gradients, other.gradients);
    if (params.size > most || gradients.size > most) return false;
    Object.assign(this, { params, gradients });
    return true;
  }

  /** The start of a tensor in it, in elements. */
  origin(role: ArenaRole, { external }: Segment): number {
    return (external![role].offset - this[role].offset) / 4;
  }
}

function spanning(one: Stretch, other: Stretch): Stretch {
  const offset = Math.min(one.offset, other.offset);
  return { buffer: one.buffer, offset, size: Math.max(one.offset + one.size, other.offset + other.size) - offset };
}
