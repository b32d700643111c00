// The arena: one flat buffer per role (params, gradients, each slot) in which every tensor is a segment, and the chunks
// into which the GPU's workgroups cut it. Pure arithmetic on names, shapes and offsets.
import { OptionError, show } from "./errors.ts";
import { readObject } from "./options.ts";

/** A named parameter: its shape (row-major) and, unless it starts at zero, its initial values. */
export interface Tensor {
  readonly name: string;
  /** Whole numbers >= 1; [] is a scalar. */
  readonly shape: readonly number[];
  /** As many numbers as the shape holds; default zeros. */
  readonly data?: ArrayLike<number>;
}

/** A tensor's place in the arena, in elements. */
export interface Segment {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** 64 float32 are 256 bytes, WebGPU's alignment for binding a part of a buffer: each segment is bindable alone. */
export const segmentAlignment = 64;

/** Elements that one workgroup updates. */
export const chunkLength = 4096;

/** Words per entry of the chunk table: offset, length, group, segment. */
export const chunkWords = 4;

/**
 * Places the tensors one after the other.
 *
 * @throws OptionError for a name that is empty or given twice, a shape that is not positive, data that does not fill it.
 */
export function layoutSegments(tensors: readonly Tensor[]): readonly Segment[] {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw new OptionError(`tensors is ${show(tensors)}; it must be an array of at least one { name, shape, data }`);
  }
  const names = new Set<string>();
  let offset = 0;
  return tensors.map((tensor, index) => {
    const { name, shape, data } = readObject(`tensors[${index}]`, tensor, ["name", "shape", "data"]) as Partial<Tensor>;
    if (typeof name !== "string" || name === "") {
      throw new OptionError(`tensors[${index}].name is ${show(name)}; it must be a string that is not empty`);
    }
    if (names.has(name)) throw new OptionError(`tensors[${index}].name is "${name}", which an earlier tensor has`);
    if (name === "__metadata__") {
      throw new OptionError(`tensors[${index}].name is "__metadata__", which safetensors files keep for themselves`);
    }
    names.add(name);
    if (!Array.isArray(shape) || shape.some((size) => !Number.isInteger(size) || size < 1)) {
      throw new OptionError(`the shape of tensor "${name}" is ${show(shape)}; it must hold whole numbers >= 1`);
    }
    const length = (shape as readonly number[]).reduce((product, size) => product * size, 1);
    if (data !== undefined && checkNumbers(`the data of tensor "${name}"`, data).length !== length) {
      throw new OptionError(
        `the data of tensor "${name}" has ${data.length} elements; its shape ${show(shape)} holds ${length}`,
      );
    }
    const segment = { name, shape: [...shape], offset, length };
    offset += Math.ceil(length / segmentAlignment) * segmentAlignment;
    return segment;
  });
}

/** Elements of the whole arena, padding included. */
export function arenaLength(segments: readonly Segment[]): number {
  const last = segments[segments.length - 1]!;
  return last.offset + Math.ceil(last.length / segmentAlignment) * segmentAlignment;
}

/** The chunk table: every segment cut into pieces of at most {@link chunkLength} elements. */
export function chunkTable(segments: readonly Segment[], groupOf: readonly number[]): Uint32Array<ArrayBuffer> {
  const words: number[] = [];
  segments.forEach((segment, index) => {
    for (let start = 0; start < segment.length; start += chunkLength) {
      words.push(segment.offset + start, Math.min(chunkLength, segment.length - start), groupOf[index]!, index);
    }
  });
  return Uint32Array.from(words);
}

/** A whole arena from the tensors' data; padding and tensors without data are zero. */
export function packArena(segments: readonly Segment[], tensors: readonly Tensor[]): Float32Array<ArrayBuffer> {
  const arena = new Float32Array(arenaLength(segments));
  segments.forEach((segment, index) => {
    const data = tensors[index]!.data;
    if (data) arena.set(data, segment.offset);
  });
  return arena;
}

/** A copy of each tensor's part of an arena, by name. */
export function unpackArena(segments: readonly Segment[], arena: Float32Array): Record<string, Float32Array> {
  return Object.fromEntries(
    segments.map(({ name, offset, length }) => [name, arena.slice(offset, offset + length)] as const),
  );
}

/**
 * The segments that `values` names, checked against its lengths.
 *
 * @throws OptionError for a name that is not in the arena or a length that is not its segment's.
 */
export function matchSegments(
  role: string,
  segments: readonly Segment[],
  values: Readonly<Record<string, ArrayLike<number>>>,
): readonly { segment: Segment; data: ArrayLike<number> }[] {
  const byName = new Map(segments.map((segment) => [segment.name, segment]));
  if (typeof values !== "object" || values === null) {
    throw new OptionError(`${role} is ${show(values)}; it must be an object of arrays by tensor name`);
  }
  return Object.entries(values).map(([name, data]) => {
    const segment = byName.get(name);
    if (!segment) {
      throw new OptionError(
        `${role} names "${name}", which is not a tensor; the tensors are ${segments.map((s) => s.name).join(", ")}`,
      );
    }
    checkNumbers(`${role} of "${name}"`, data);
    if (data.length !== segment.length) {
      throw new OptionError(`${role} of "${name}" has ${data.length} elements; the tensor has ${segment.length}`);
    }
    return { segment, data };
  });
}

/** Arrays that are not typed may hold anything; a word among the numbers would become a NaN on the GPU. */
function checkNumbers(name: string, data: ArrayLike<number>): ArrayLike<number> {
  if (ArrayBuffer.isView(data)) return data;
  if (!Array.isArray(data)) throw new OptionError(`${name} is ${show(data)}; it must be an array of numbers`);
  const bad = data.findIndex((value) => typeof value !== "number");
  if (bad >= 0) throw new OptionError(`${name} holds ${show(data[bad])} at ${bad}; it must be an array of numbers`);
  return data;
}
