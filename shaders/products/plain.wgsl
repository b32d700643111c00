// The epilogue of a product alone.
fn finish(instance: u32, row: u32, column: u32, product: vec4f) {
  let i = begins.c + row * sizes.c_line + block_step * column;
  store_c(i, sizes.n - 4u * column, product);
}
