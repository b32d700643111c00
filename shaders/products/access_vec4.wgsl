// Matrices whose stored rows are whole vec4s: all reads and writes take four elements at once, and sizes of rows and matrices
// count vec4s.
const block_step = 1u;

@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(5) var<storage, read> side: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> extra: array<vec4f>;

fn four_a(x: Matrix, i: u32, line: u32, column: u32) -> vec4f {
  return a[i];
}

fn four_b(x: Matrix, i: u32, line: u32, column: u32) -> vec4f {
  return b[i];
}

fn four_c(i: u32) -> vec4f {
  return c[i];
}

fn four_side(i: u32) -> vec4f {
  return side[i];
}

fn four_extra(i: u32) -> vec4f {
  return extra[i];
}

fn store_c(i: u32, count: u32, x: vec4f) {
  c[i] = x;
}

fn store_extra(i: u32, count: u32, x: vec4f) {
  extra[i] = x;
}
