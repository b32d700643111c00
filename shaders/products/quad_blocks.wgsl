// The four lanes of a quad lie side by side in C and so need the same rows of A: each loads a quarter of them and hands it
// to the others.
enable subgroups;

fn rows_of_a(x: Matrix, m: u32, k: u32, lane: u32) -> mat4x4f {
  let line = 4u * select(m, k, transpose_a) + lane % 4u;
  let column = select(k, m, transpose_a);
  let mine = four_a(x, index_of(x, line, column), line, column);
  let loaded = mat4x4f(
    quadBroadcast(mine, 0u),
    quadBroadcast(mine, 1u),
    quadBroadcast(mine, 2u),
    quadBroadcast(mine, 3u)
  );
  if (transpose_a) {
    return transpose(loaded);
  }
  return loaded;
}
