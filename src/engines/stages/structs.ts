// The structs that the host writes and kernels read, each defined once: sizes, chunks, bins and lines.
import { defineStruct, type Fields, type Struct } from "../../base/struct.ts";

/**
 * The sizes and numbers of one rule set of an optimizer, in a uniform buffer. They are not constants, so that kernels are
 * compiled once for all tensors, groups and replicas.
 */
export const sizesStruct = /* @__PURE__ */ defineStruct("Sizes", {
  replicas: "u32",
  // records of the control buffer per replica
  clipBins: "u32",
  // the table (table.wgsl): slots of a replica's two rings, words of a slot, the start of this rule set's rows, which of them is
  // that of all groups together, words of a row
  slots: "u32",
  nearSlots: "u32",
  slotWords: "u32",
  rowOffset: "u32",
  commonRow: "u32",
  columnCount: "u32",
  // strides between replicas, in elements: of the arenas, of sums of gradients, of the state
  paramsStride: "u32",
  sumStride: "u32",
  stateStride: "u32",
  // the start of the slots after a factored one, in entries of the state
  behindFactored: "u32",
  // per replica: chunks, their partial sums, records of the scalars
  chunkTotal: "u32",
  partialCount: "u32",
  recordCount: "u32",
  // gradients whose mean makes an update; 0 where every gradient makes one
  accumulate: "u32",
  // updates after which the loss scale grows
  interval: "u32",
  growth: "f32",
  // its factor when it falls, and its least value
  backoff: "f32",
  leastScale: "f32",
  // 1 over the number of gradients that are added up
  mean: "f32",
  // clipping by the norm
  maxNorm: "f32",
});

/**
 * The place of a tensor's lines of modifiers: for each block its first word in the state, and the number of columns of the matrix
 * whose columns (or rows) are its lines. All 0 for a tensor without such lines.
 */
export function placesStruct(blocks: readonly string[]): Struct {
  const fields = blocks.flatMap((block) => [
    [block, "u32"],
    [columnsOf(block), "u32"],
    [alongRowsOf(block), "u32"],
  ]);
  return defineStruct("Places", blocks.length > 0 ? (Object.fromEntries(fields) as Fields) : { none: "u32" });
}

/** The field of {@link placesStruct} with a block's number of columns. */
export const columnsOf = (block: string) => `${block}Columns`;

/** The field of {@link placesStruct} that is 1 where a block's lines are the rows of its matrix. */
export const alongRowsOf = (block: string) => `${block}AlongRows`;

/** An entry of the chunk table: the work of one workgroup. Offsets are in elements, in the table those of replica 0. */
export function chunkStruct(places: Struct) {
  return defineStruct("Chunk", {
    // the start of its elements in the parameters and in the gradients
    params: "u32",
    gradients: "u32",
    // and in each slot
    state: "u32",
    // its first element's place in the tensor
    start: "u32",
    length: "u32",
    // its group's row among those of a step
    group: "u32",
    // its tensor's record of the scalars
    record: "u32",
    // its place among all chunks of the optimizer, and so that of its partial sums
    id: "u32",
    // its bin's record of the control buffer
    bin: "u32",
    // a factored slot: for a vector its elements, for a matrix the means of its columns and rows; rows is 0 for vectors
    factored: "u32",
    factoredRows: "u32",
    rows: "u32",
    columns: "u32",
    // fours of elements from one slot to the next: here, not in the sizes, since every element needs it
    slotStride: "u32",
    places,
  });
}

/** A sum of conclude.wgsl or finalize.wgsl: its first partial, how many there are, and whose they are. */
export const binStruct = /* @__PURE__ */ defineStruct("Bin", {
  first: "u32",
  count: "u32",
  group: "u32",
  record: "u32",
  // 1: of a tensor with a factored slot
  factored: "u32",
});

/** A task of lines.wgsl: lines of one tensor that one workgroup sums. */
export function linesStruct(places: Struct) {
  return defineStruct("Lines", {
    params: "u32",
    gradients: "u32",
    // the place of the results in the state, a multiple of 4
    result: "u32",
    // the first line of this task, its number of lines, and the number of lines in all
    first: "u32",
    own: "u32",
    lines: "u32",
    rows: "u32",
    columns: "u32",
    // 1: lines are rows, else columns, of a stack of matrices
    alongRows: "u32",
    // 1: the workgroup's lanes share four lines
    together: "u32",
    group: "u32",
    bin: "u32",
    places,
  });
}
