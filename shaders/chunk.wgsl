// The entry of the chunk table that a workgroup works on; src/engines/stages/structs.ts defines a Chunk.

// A chunk with its places in a replica. From here on, the start of its elements counts entries of the arrays: a division per
// element would take a tenth of an update's time where the compiler does not move it out of the loop.
fn chunk_of(replica: u32, index: u32) -> Chunk {
  var chunk = chunk_at(index);
  chunk.params = (chunk.params + replica * sizes.params_stride) / entry_length;
  chunk.gradients = (chunk.gradients + replica * sizes.params_stride) / entry_length;
  chunk.places = places_in(chunk.places, replica * sizes.state_stride);
  return chunk;
}

// Which of the four elements from e on belong to the chunk.
fn inside(chunk: Chunk, e: u32) -> vec4<bool> {
  return vec4u(0u, 1u, 2u, 3u) + e < vec4u(chunk.length);
}
