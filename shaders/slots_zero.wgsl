// In place of slots_begin.wgsl where every slot starts with zero, as buffers do.
fn begin_slots(chunk: Chunk, h: Row, lane: u32) {
}
