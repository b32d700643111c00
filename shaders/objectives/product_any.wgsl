// The product of product.wgsl for any M, N and K: one thread an element.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;

override M: u32;
override N: u32;
override K: u32;
override transpose_a: bool = false;
override transpose_b: bool = false;
override forward: bool = false;
override backward: bool = false;
override workgroup_x: u32;
override workgroup_y: u32;

@compute @workgroup_size(workgroup_x, workgroup_y)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  let m = id.y;
  if (m >= M || n >= N) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < K; k++) {
    sum += a[select(m * K + k, k * M + m, transpose_a)] * b[select(k * N + n, n * K + k, transpose_b)];
  }
  let i = m * N + n;
  if (forward) {
    sum = activate(vec4f(sum + bias[n])).x;
  }
  if (backward) {
    sum *= slope(vec4f(c[i])).x;
  }
  c[i] = sum;
}
