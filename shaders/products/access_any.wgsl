// Matrices of any size, read element by element. Elements outside a matrix read as zero; past the end of a row, the epilogue
// reads the next row, which is never stored.
const block_step = 4u;

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read> side: array<f32>;
@group(0) @binding(6) var<storage, read_write> extra: array<f32>;

fn within(x: Matrix, line: u32, column: u32) -> vec4<bool> {
  return vec4u(4u * column) + vec4u(0u, 1u, 2u, 3u) < vec4u(select(0u, x.width, line < x.lines));
}

fn four_a(x: Matrix, i: u32, line: u32, column: u32) -> vec4f {
  return select(vec4f(), vec4f(a[i], a[i + 1u], a[i + 2u], a[i + 3u]), within(x, line, column));
}

fn four_b(x: Matrix, i: u32, line: u32, column: u32) -> vec4f {
  return select(vec4f(), vec4f(b[i], b[i + 1u], b[i + 2u], b[i + 3u]), within(x, line, column));
}

fn four_c(i: u32) -> vec4f {
  return vec4f(c[i], c[i + 1u], c[i + 2u], c[i + 3u]);
}

fn four_side(i: u32) -> vec4f {
  return vec4f(side[i], side[i + 1u], side[i + 2u], side[i + 3u]);
}

fn four_extra(i: u32) -> vec4f {
  return vec4f(extra[i], extra[i + 1u], extra[i + 2u], extra[i + 3u]);
}

fn store_c(i: u32, count: u32, x: vec4f) {
  c[i] = x.x;
  if (count > 1u) {
    c[i + 1u] = x.y;
  }
  if (count > 2u) {
    c[i + 2u] = x.z;
  }
  if (count > 3u) {
    c[i + 3u] = x.w;
  }
}

fn store_extra(i: u32, count: u32, x: vec4f) {
  extra[i] = x.x;
  if (count > 1u) {
    extra[i + 1u] = x.y;
  }
  if (count > 2u) {
    extra[i + 2u] = x.z;
  }
  if (count > 3u) {
    extra[i + 3u] = x.w;
  }
}
