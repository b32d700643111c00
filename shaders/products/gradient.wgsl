// The epilogue of a weight's gradient, and beside it in `extra` the bias's gradient, which is the sum of each column of B.
// Whoever has the first row takes it. In an arena both are parts of one buffer, which is bound but once.
fn finish(replica: u32, row: u32, column: u32, product: vec4f) {
  let count = sizes.n - 4u * column;
  let within = row * sizes.c_line + block_step * column;
  let i = begins.c + within;
  var gradient = product;
  if (sizes.accumulate == 1u) {
    gradient += four_c(i);
  }
  store_c(i, count, gradient);
  if (row > 0u || sizes.has_extra == 0u) {
    return;
  }
  var sum = vec4f();
  let from_b = matrix_b(replica);
  for (var k = 0u; k < (sizes.bias_rows + 3u) / 4u; k++) {
    let loaded = block_b(from_b, k, column);
    sum += (loaded[0] + loaded[1]) + (loaded[2] + loaded[3]);
  }
  let j = begins.extra + block_step * column;
  if (sizes.extra_in_c == 1u) {
    if (sizes.accumulate == 1u) {
      sum += four_c(j);
    }
    store_c(j, count, sum);
    return;
  }
  if (sizes.accumulate == 1u) {
    sum += four_extra(j);
  }
  store_extra(j, count, sum);
}
