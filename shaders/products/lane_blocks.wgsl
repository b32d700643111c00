// Each lane loads all of A that it needs.
fn rows_of_a(x: Matrix, m: u32, k: u32, lane: u32) -> mat4x4f {
  return block_a(x, m, k);
}
