// The epilogue of a layer's forward pass: bias, activation, dropout. `side` is the bias; `extra` keeps the activation's input.
fn finish(instance: u32, row: u32, column: u32, product: vec4f) {
  let count = sizes.n - 4u * column;
  let within = row * sizes.c_line + block_step * column;
  let i = begins.c + within;
  var z = product;
  if (sizes.has_side == 1u && row < sizes.bias_rows) {
    z += four_side(begins.side + block_step * column);
  }
  if (sizes.accumulate == 1u) {
    z += four_c(i);
  }
  if (sizes.has_extra == 1u) {
    store_extra(begins.extra + within, count, z);
  }
  // A dropped infinity becomes 0.
  store_c(i, count, select(activate(z) * kept_scale(), vec4f(), dropped(instance, row, column)));
}
