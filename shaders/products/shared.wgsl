// Shared by all products: C = op(A) · op(B), row-major; A is [m, k] (stored [k, m] if transpose_a), B is [k, n] (stored [n, k]
// if transpose_b). Matrices are read in blocks of 4 × 4, whose rows are the columns of a WGSL matrix: a block of C grows by
// (block of B) * (block of A). Sizes are not constants: one kernel serves products of every size.
override transpose_a: bool;
override transpose_b: bool;
// C is symmetric: only blocks on and below its diagonal are computed, and each is stored on both sides of it.
override symmetric: bool = false;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(4) var<storage, read> control: array<u32>;

// The third dimension of a dispatch counts instances of the product: per replica, one for each of its matrices.
fn replica_of(instance: u32) -> u32 {
  return instance / sizes.matrices;
}

fn nth(instance: u32, stride: u32, step: u32) -> u32 {
  return (instance / sizes.matrices) * stride + (instance % sizes.matrices) * step;
}

fn halted(instance: u32) -> bool {
  return control[replica_of(instance) * sizes.control_stride + sizes.skip_index] == 2u;
}

// Whether a symmetric product computes none of this tile's blocks.
fn is_above(tile: u32, down: u32, across: u32) -> bool {
  return symmetric && (tile % sizes.tiles_across) * across >= (tile / sizes.tiles_across + 1u) * down;
}

// The start of every workgroup: whether it computes a tile of this many blocks. Workgroups after the tiles do the separate sums,
// with numbered lanes.
fn has_tile(instance: u32, tile: u32, down: u32, across: u32, lanes: u32, lane: u32) -> bool {
  if (halted(instance)) {
    return false;
  }
  begin(instance);
  if (tile >= sizes.tiles) {
    beyond_tiles(instance, (tile - sizes.tiles) * lanes + lane);
    return false;
  }
  return !is_above(tile, down, across);
}

// The start of a product's matrix, its stored rows and their stride, computed once before a kernel's loop: on some adapters every
// read of a uniform costs time.
struct Matrix {
  at: u32,
  lines: u32,
  width: u32,
}

fn matrix_a(instance: u32) -> Matrix {
  let at = sizes.a_first + nth(instance, sizes.a_stride, sizes.a_step);
  return Matrix(at, select(sizes.m, sizes.k, transpose_a), sizes.a_line);
}

fn matrix_b(instance: u32) -> Matrix {
  let at = sizes.b_first + nth(instance, sizes.b_stride, sizes.b_step);
  return Matrix(at, select(sizes.k, sizes.n, transpose_b), sizes.b_line);
}

// Likewise the start of what the epilogue reads and writes.
struct Begins {
  c: u32,
  side: u32,
  extra: u32,
}

var<private> begins: Begins;

fn begin(instance: u32) {
  begins = Begins(
    sizes.c_first + nth(instance, sizes.c_stride, sizes.c_step),
    sizes.side_first + nth(instance, sizes.side_stride, sizes.side_step),
    sizes.extra_first + nth(instance, sizes.extra_stride, sizes.extra_step)
  );
}

// The index of the first of four elements side by side.
fn index_of(x: Matrix, line: u32, column: u32) -> u32 {
  return x.at + line * x.width + block_step * column;
}

// m, n and k count blocks. Outside C any value may be read; beyond k, zeros are.
fn block_a(x: Matrix, m: u32, k: u32) -> mat4x4f {
  let line = 4u * select(m, k, transpose_a);
  let column = select(k, m, transpose_a);
  let i = index_of(x, line, column);
  let loaded = mat4x4f(
    four_a(x, i, line, column),
    four_a(x, i + x.width, line + 1u, column),
    four_a(x, i + 2u * x.width, line + 2u, column),
    four_a(x, i + 3u * x.width, line + 3u, column)
  );
  if (transpose_a) {
    return transpose(loaded);
  }
  return loaded;
}

fn block_b(x: Matrix, k: u32, n: u32) -> mat4x4f {
  let line = 4u * select(k, n, transpose_b);
  let column = select(n, k, transpose_b);
  let i = index_of(x, line, column);
  let loaded = mat4x4f(
    four_b(x, i, line, column),
    four_b(x, i + x.width, line + 1u, column),
    four_b(x, i + 2u * x.width, line + 2u, column),
    four_b(x, i + 3u * x.width, line + 3u, column)
  );
  if (transpose_b) {
    return transpose(loaded);
  }
  return loaded;
}

fn depth() -> u32 {
  return (sizes.k + 3u) / 4u;
}

// One call in a loop: the epilogue is compiled once, not once for each of a lane's rows.
fn finish_rows(instance: u32, m: u32, n: u32, product: mat4x4f) {
  var rows = product;
  if (4u * n >= sizes.n) {
    return;
  }
  for (var i = 0u; i < min(4u, max(sizes.m, 4u * m) - 4u * m); i++) {
    finish(instance, 4u * m + i, n, rows[i]);
  }
}

fn finish_block(instance: u32, m: u32, n: u32, product: mat4x4f) {
  if (!symmetric) {
    finish_rows(instance, m, n, product);
    return;
  }
  if (n <= m) {
    finish_rows(instance, m, n, product);
  }
  if (n < m) {
    finish_rows(instance, n, m, transpose(product));
  }
}
