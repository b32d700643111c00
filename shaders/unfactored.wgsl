// In place of factored.wgsl where no slot is factored.
fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
}

fn goes_in_fours(chunk: Chunk) -> bool {
  return true;
}
