// The arena: one flat buffer per role (params, gradients, each slot) in which every tensor is a segment, and the chunks
// into which the GPU's workgroups cut it. Pure arithmetic on names, shapes and offsets.
import { OptionError, refusal, show } from "../base/errors.ts";
import { isOptions, readChoice, readMade, readNumbers, readObject } from "../base/options.ts";
import type { External } from "../engines/gpu/external.ts";

/** Which side of a matrix is the output. */
export type Layout = "in-out" | "out-in";

const layouts: readonly Layout[] = ["in-out", "out-in"];

/** A named parameter: its shape (row-major) and, unless it starts at zero, its initial values. */
export interface Tensor {
  /** The tensor's name in groups, readings and checkpoints; names are unique. */
  readonly name: string;
  /** Whole numbers >= 1; [] is a scalar. */
  readonly shape: readonly number[];
  /** As many numbers as the shape holds; default zeros. */
  readonly data?: ArrayLike<number>;
  /**
   * Which side of a matrix is the output: "in-out" (the default) for [inputs, outputs], the layout of this library's models and
   * of Keras, or "out-in" for [outputs, inputs], that of torch.nn.Linear. Muon's step depends on it.
   */
  readonly layout?: Layout | undefined;
  /** Its place in your own buffers, as external() gives it; default the arenas of the optimizer. */
  readonly external?: External;
}

/** Tensors in a list, or by name: a shape, if all values start at zero, or the fields of a {@link Tensor} other than its name. */
export type Tensors = readonly Tensor[] | Readonly<Record<string, readonly number[] | Omit<Tensor, "name">>>;

/**
 * Tensors as a list; {@link layoutSegments} checks their fields.
 *
 * @throws OptionError for anything but a list or an object of shapes or tensors.
 */
export function readTensors(tensors: Tensors): readonly Tensor[] {
  const byName = !Array.isArray(tensors) && isOptions(tensors) && Object.keys(tensors).length > 0;
  // A list with holes has undefined in place of them.
  if (!byName) return Array.isArray(tensors) ? [...tensors] : (tensors as readonly Tensor[]);
  return Object.entries(tensors as Exclude<Tensors, readonly Tensor[]>).map(([name, tensor]): Tensor => {
    if (Array.isArray(tensor)) return { name, shape: tensor as readonly number[] };
    if (isOptions(tensor))
      return { name, ...(readObject(`tensors.${name}`, tensor, tensorKeys, externalHint) as Omit<Tensor, "name">) };
    throw refusal(`tensors.${name}`, tensor, `a shape, such as [100, 10], or an object with ${tensorKeys.join(", ")}`);
  });
}

/** A tensor's place in the arena, in elements. */
export interface Segment {
  /** The tensor's name. */
  readonly name: string;
  /** Its sizes, outermost first; row-major. */
  readonly shape: readonly number[];
  /** The page of the arenas that holds it; a page fits one buffer and one binding. */
  readonly page: number;
  /** Its offset in the page; for a tensor in an external buffer, an unused place after the others. */
  readonly offset: number;
  /** The number of its elements. */
  readonly length: number;
  /** Which side is the output; default "in-out". */
  readonly layout?: Layout;
  /** The external buffers that hold the tensor, if it is not in the arenas. */
  readonly external?: External;
}

const tensorKeys = ["shape", "data", "layout", "external"];

/** What is meant by the two names of a tensor's buffers. */
const externalHint = (key: string) =>
  /^(?:params|gradients)$/.test(key)
    ? "; external({ shape, params, gradients }) makes a tensor in your own buffers"
    : "";

/** 64 float32 are 256 bytes, WebGPU's alignment for binding a part of a buffer: each segment is bindable alone. */
export const segmentAlignment = 64;

/** Elements that one workgroup updates. */
export const chunkLength = 4096;

/**
 * Places the tensors one after the other, in pages of `pageLength` elements; a longer tensor has a page to itself.
 *
 * @throws OptionError for a name that is empty or given twice, a shape that is not positive, or data that does not fill it.
 */
export function layoutSegments(
  tensors: readonly Tensor[],
  pageLength: number = Number.POSITIVE_INFINITY,
): readonly Segment[] {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw refusal("tensors", tensors, "an array of at least one { name, shape, data }, or an object of shapes by name");
  }
  const names = new Set<string>();
  const read = tensors.map((tensor, index) => {
    const fields = readObject(`tensors[${index}]`, tensor, ["name", ...tensorKeys], externalHint);
    const { name, shape, data, external: given } = fields as Partial<Tensor>;
    const layout =
      fields.layout === undefined ? {} : { layout: readChoice(`tensors[${index}].layout`, fields.layout, layouts) };
    if (typeof name !== "string" || name === "") {
      throw refusal(`tensors[${index}].name`, name, "a non-empty string");
    }
    if (names.has(name))
      throw new OptionError(`tensors[${index}].name is "${name}", as is an earlier tensor's; names must differ`);
    if (name === "__metadata__") {
      throw new OptionError(`tensors[${index}].name is "__metadata__", which safetensors files reserve`);
    }
    names.add(name);
    if (!Array.isArray(shape) || shape.some((size) => !Number.isInteger(size) || size < 1)) {
      throw new OptionError(`the shape of tensor "${name}" is ${show(shape)}; it must hold whole numbers >= 1`);
    }
    const length = (shape as readonly number[]).reduce((product, size) => product * size, 1);
    if (length > Number.MAX_SAFE_INTEGER) {
      throw new OptionError(`the shape of tensor "${name}" is ${show(shape)}; it must hold less than 2^53 elements`);
    }
    if (data !== undefined && readNumbers(`the data of tensor "${name}"`, data).length !== length) {
      throw new OptionError(
        `the data of tensor "${name}" has ${data.length} elements; its shape ${show(shape)} holds ${length}`,
      );
    }
    const external =
      given !== undefined &&
      readMade(`tensors[${index}].external`, given, "what external() returns", { checked: "function" }).checked(
        name,
        length,
        data,
      );
    const own = Object.freeze([...(shape as readonly number[])]);
    return { name, shape: own, length, ...layout, ...(external ? { external } : {}) };
  });
  // Tensors in external buffers come last, so that the arenas need not have room for them.
  let [page, offset] = [0, 0];
  const places = new Map<object, { page: number; offset: number }>();
  for (const segment of [...read.filter(({ external }) => !external), ...read.filter(({ external }) => external)]) {
    const length = alignedLength(segment);
    if (offset > 0 && offset + length > pageLength) [page, offset] = [page + 1, 0];
    places.set(segment, { page, offset });
    offset += length;
  }
  // Callers see them.
  return read.map((segment) => Object.freeze({ ...segment, ...places.get(segment)! }));
}

/** The numbers of a matrix's outputs and inputs. */
export function sidesOf({
  shape,
  layout,
}: Pick<Segment, "shape" | "layout">): readonly [outputs: number, inputs: number] {
  const [rows, columns] = shape as readonly [number, number];
  return layout === "out-in" ? [rows, columns] : [columns, rows];
}

function alignedLength({ length }: { readonly length: number }): number {
  return Math.ceil(length / segmentAlignment) * segmentAlignment;
}

const endOf = (segments: readonly Segment[], page: number) =>
  segments.reduce(
    (end, segment) => (segment.page === page ? Math.max(end, segment.offset + alignedLength(segment)) : end),
    0,
  );

/** Elements of a page of the arenas of parameters and gradients, padding included, for the tensors in them. */
export function arenaLength(segments: readonly Segment[], page = 0): number {
  return endOf(
    segments.filter(({ external }) => !external),
    page,
  );
}

/** Elements of a page for all tensors with padding, wherever they are: the size of an array over all of them. */
export function paddedLength(segments: readonly Segment[], page = 0): number {
  return endOf(segments, page);
}

/** The pages of the arenas, by number. */
export function pagesOf(segments: readonly Segment[]): readonly number[] {
  const last = segments.reduce((most, { page }) => Math.max(most, page), 0);
  return Array.from({ length: last + 1 }, (_, page) => page);
}

/** A whole page from the tensors' data; padding and tensors without data are zero. */
export function packArena(
  segments: readonly Segment[],
  tensors: readonly Tensor[],
  page = 0,
  replicas = 1,
): Float32Array<ArrayBuffer> {
  const length = arenaLength(segments, page);
  const arena = new Float32Array(length * replicas);
  segments.forEach((segment, index) => {
    const data = tensors[index]!.data;
    if (data && segment.page === page) arena.set(data, segment.offset);
  });
  for (let replica = 1; replica < replicas; replica++) arena.copyWithin(replica * length, 0, length);
  return arena;
}

/**
 * The segments named in `values`, whose lengths are checked.
 *
 * @throws OptionError for a name that is not in the arena or a length other than its segment's.
 */
export function matchSegments(
  role: string,
  segments: readonly Segment[],
  values: Readonly<Record<string, ArrayLike<number>>>,
): readonly { segment: Segment; data: ArrayLike<number> }[] {
  const byName = new Map(segments.map((segment) => [segment.name, segment]));
  // A map, as decodeSafetensors() returns one, would have no entries.
  if (!isOptions(values)) {
    throw refusal(role, values, "an object of arrays by tensor name");
  }
  return Object.entries(values).map(([name, data]) => {
    const segment = byName.get(name);
    if (!segment) {
      throw new OptionError(
        `${role} names "${name}", which is not a tensor; the tensors are ${segments.map((s) => s.name).join(", ")}`,
      );
    }
    readNumbers(`${role} of "${name}"`, data);
    if (data.length !== segment.length) {
      throw new OptionError(`${role} of "${name}" has ${data.length} elements; the tensor has ${segment.length}`);
    }
    return { segment, data };
  });
}
