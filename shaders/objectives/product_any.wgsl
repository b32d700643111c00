// The product of epilogue.wgsl for any M, N and K. A thread computes 4 × 4 elements; rows and columns beyond the edge repeat
// the last one, and are never stored.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> control: array<u32>;

fn store(replica: u32, m: u32, n: u32, product: vec4f) {
  if (m >= M) {
    return;
  }
  for (var j = 0u; j < min(4u, N - n); j++) {
    let i = replica * c_stride + m * N + n + j;
    c[i] = finish(vec4f(product[j]), vec4f(c[i]), vec4f(bias[replica * bias_stride + n + j])).x;
  }
}

@compute @workgroup_size(workgroup_x, workgroup_y)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = 4u * id.x;
  let m = 4u * id.y;
  let replica = id.z;
  if (m >= M || n >= N || halted(replica)) {
    return;
  }
  let four = vec4u(0u, 1u, 2u, 3u);
  var row = replica * a_stride + min(m + four, vec4u(M - 1u)) * select(K, 1u, transpose_a);
  var column = replica * b_stride + min(n + four, vec4u(N - 1u)) * select(1u, K, transpose_b);
  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  for (var k = 0u; k < K; k++) {
    let across = vec4f(b[column.x], b[column.y], b[column.z], b[column.w]);
    c0 += a[row.x] * across;
    c1 += a[row.y] * across;
    c2 += a[row.z] * across;
    c3 += a[row.w] * across;
    row += select(1u, M, transpose_a);
    column += select(N, 1u, transpose_b);
  }
  store(replica, m, n, c0);
  store(replica, m + 1u, n, c1);
  store(replica, m + 2u, n, c2);
  store(replica, m + 3u, n, c3);
}
