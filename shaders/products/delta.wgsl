// The epilogue of a layer's backward pass to the layer before: times the derivative of that layer's activation, from what the
// forward pass left in C or in `side`, and times its dropout.
fn finish(instance: u32, row: u32, column: u32, product: vec4f) {
  let within = row * sizes.c_line + block_step * column;
  let i = begins.c + within;
  var kept: vec4f;
  if (sizes.has_side == 1u) {
    kept = four_side(begins.side + within);
  } else {
    kept = four_c(i);
  }
  if (!keeps_input()) {
    kept = unscaled(kept);
  }
  let delta = select(product * slope(kept) * kept_scale(), vec4f(), dropped(instance, row, column));
  store_c(i, sizes.n - 4u * column, delta);
}
