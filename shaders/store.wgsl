// Stores a cell: the parameter, and by the generated `store_slots` its slots.
fn store_cell(chunk: Chunk, e: u32, y: Cell) {
  store_params(chunk.params, e, y.p);
  store_slots(chunk, e, y);
}

fn store_tail(chunk: Chunk, e: u32, inside: vec4<bool>, x: Cell, y: Cell) {
  store_params_inside(chunk.params, e, y.p, inside);
  store_slots(chunk, e, chosen_cell(x, y, inside));
}
