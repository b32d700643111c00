// The epilogue of a weight's gradient. Workgroups after those of the product's tiles sum columns of B into `extra`, the bias's
// gradient; in an arena that is part of C's buffer, which is bound only once. The sums have workgroups of their own because an
// emulated GPU runs a loop's body at least once wherever it is, so that in `finish` every row would pay for it.
fn finish(instance: u32, row: u32, column: u32, product: vec4f) {
  let i = begins.c + row * sizes.c_line + block_step * column;
  var gradient = product;
  if (sizes.accumulate == 1u) {
    gradient += four_c(i);
  }
  store_c(i, sizes.n - 4u * column, gradient);
}

fn beyond_tiles(instance: u32, column: u32) {
  if (4u * column >= sizes.n || sizes.has_extra == 0u) {
    return;
  }
  let count = sizes.n - 4u * column;
  var sum = vec4f();
  let from_b = matrix_b(instance);
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
