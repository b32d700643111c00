// One entry of the chunk table: what one workgroup works on. Offsets are in elements, in the table those of replica 0;
// src/gpu/chunks.ts writes them.
struct Chunk {
  // where its elements begin in the parameters and in the gradients
  params: u32,
  gradients: u32,
  // and in each slot
  state: u32,
  // its first element's place in the tensor
  start: u32,
  length: u32,
  // which row of the table it takes, of those of one step
  group: u32,
  // which record of the scalars is its tensor's
  record: u32,
  // its place among all chunks of the optimizer, by which its partial sums are filed
  id: u32,
  // which scale of the control buffer is for it
  bin: u32,
  // a factored slot: its elements of a vector, or the means of the columns and rows of a matrix; rows is 0 for vectors
  factored: u32,
  factored_rows: u32,
  rows: u32,
  columns: u32,
  // the scales of adaptive clipping; the tensor's units are columns of this many
  units: u32,
  unit_columns: u32,
  // vec4s from one slot to the next: here, and not in `sizes`, since every element asks
  slot_stride: u32,
}

// A chunk with its places in a replica. Where its elements begin is from here on in entries of the arrays: to divide for
// every element would take a tenth of an update's time where nothing moves that out of the loop.
fn chunk_of(replica: u32, index: u32) -> Chunk {
  var chunk = chunks[index];
  chunk.params = (chunk.params + replica * sizes.params_stride) / entry_length;
  chunk.gradients = (chunk.gradients + replica * sizes.params_stride) / entry_length;
  let state = replica * sizes.state_stride;
  chunk.state = (chunk.state + state) / 4u;
  chunk.factored += state;
  chunk.factored_rows += state;
  chunk.units += state;
  return chunk;
}

// Which of the four elements from e on are the chunk's own.
fn inside(chunk: Chunk, e: u32) -> vec4<bool> {
  return vec4u(0u, 1u, 2u, 3u) + e < vec4u(chunk.length);
}
