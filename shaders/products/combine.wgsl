// The epilogue of a linear combination: alpha times the product, beta times the matrix in `side`, whose rows are as long as
// those of C, and `shift` on the diagonal.
fn finish(instance: u32, row: u32, column: u32, product: vec4f) {
  let within = row * sizes.c_line + block_step * column;
  let added = four_side(begins.side + within);
  let on_diagonal = vec4u(4u * column) + vec4u(0u, 1u, 2u, 3u) == vec4u(row);
  let shift = select(vec4f(), vec4f(sizes.shift), on_diagonal);
  let i = begins.c + within;
  store_c(i, sizes.n - 4u * column, sizes.alpha * product + sizes.beta * added + shift);
}
