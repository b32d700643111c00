// The epilogue of a linear combination: alpha times the product, and beta times the matrix in `side`, whose rows are as long
// as those of C.
fn finish(replica: u32, row: u32, column: u32, product: vec4f) {
  let within = row * sizes.c_line + block_step * column;
  let added = four_side(begins.side + within);
  let i = begins.c + within;
  store_c(i, sizes.n - 4u * column, sizes.alpha * product + sizes.beta * added);
}
