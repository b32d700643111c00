// In place of factored.wgsl where no slot is factored.
fn with_factors(chunk: Chunk, state: u32) -> Chunk {
  return chunk;
}

fn is_factored(chunk: Chunk) -> bool {
  return false;
}

fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
}

// There is no second way to load a cell.
fn goes_in_fours(chunk: Chunk) -> bool {
  return false;
}
