// Where some slots start with a value other than 0: they do so in the first step, even if the tensor is frozen. Slots that keep
// this value are stored only then.
fn begin_slots(chunk: Chunk, h: Row, lane: u32) {
  for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
    let x = load_cell(chunk, e, inside(chunk, e), h);
    store_slots(chunk, e, x);
    store_fixed(chunk, e, x);
  }
}
