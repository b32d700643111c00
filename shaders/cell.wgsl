// Cells of chunks: where they are.
fn cell_chunk(replica: u32, index: u32) -> Chunk {
  var chunk = chunk_of(replica, index);
  chunk.state = place_in_slots(chunk.state, replica);
  return with_factors(chunk, replica * sizes.state_stride);
}
