// A first attempt at a product, for the benchmark: one invocation per element of C, a scalar loop along the depth. A and B are
// read by strides, so that the same code serves transposed ones.
struct Sizes {
  m: u32,
  n: u32,
  k: u32,
  a_row: u32,
  a_depth: u32,
  b_depth: u32,
  b_column: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.n || id.y >= sizes.m) { return; }
  var sum = 0.0;
  for (var d = 0u; d < sizes.k; d++) {
    sum += a[id.y * sizes.a_row + d * sizes.a_depth] * b[d * sizes.b_depth + id.x * sizes.b_column];
  }
  c[id.y * sizes.n + id.x] = sum;
}
