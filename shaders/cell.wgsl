// Cells of chunks: where they are, and how they are stored: the parameter, and by the generated `store_slots` its slots.
fn cell_chunk(replica: u32, index: u32) -> Chunk {
  var chunk = chunk_of(replica, index);
  chunk.state = place_in_slots(chunk.state, replica);
  return chunk;
}

fn store_cell(chunk: Chunk, e: u32, y: Cell) {
  store_params(chunk.params, e, y.p);
  store_slots(chunk, e, y);
}

fn store_tail(chunk: Chunk, e: u32, inside: vec4<bool>, x: Cell, y: Cell) {
  store_params_inside(chunk.params, e, y.p, inside);
  store_slots(chunk, e, chosen_cell(x, y, inside));
}
