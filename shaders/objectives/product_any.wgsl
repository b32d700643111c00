// The product of epilogue.wgsl for any M, N and K: one thread an element.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;

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
  c[i] = finish(vec4f(sum), vec4f(c[i]), vec4f(bias[n])).x;
}
