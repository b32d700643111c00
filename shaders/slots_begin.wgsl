// Where some slots begin with a value of their own: they do in the first step, even if the tensor is frozen. Those that keep it are
// stored then alone.
fn begin_slots(chunk: Chunk, h: Row, lane: u32) {
  for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
    let x = load_cell(chunk, e, inside(chunk, e), h);
    store_slots(chunk, e, x);
    store_fixed(chunk, e, x);
  }
}
