// The product of epilogue.wgsl where M, N and K are multiples of 4; product_any.wgsl serves the rest.
//
// A thread computes 16 × 8 elements in registers, as 4 × 2 blocks of 4 × 4, without barriers. Rows of a block stand in
// the columns of a WGSL matrix, so that the block of C grows by (block of B) * (block of A).
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read> control: array<u32>;

// Four vec4s that lie `stride` apart. Blocks beyond the edge are never stored, so reading another one there is harmless.
fn block_a(replica: u32, m: u32, k: u32) -> mat4x4f {
  let row = min(m, M / 4u - 1u);
  if (transpose_a) {
    let stride = M / 4u;
    let i = replica * a_stride + 4u * k * stride + row;
    return transpose(mat4x4f(a[i], a[i + stride], a[i + 2u * stride], a[i + 3u * stride]));
  }
  let stride = K / 4u;
  let i = replica * a_stride + 4u * row * stride + k;
  return mat4x4f(a[i], a[i + stride], a[i + 2u * stride], a[i + 3u * stride]);
}

fn block_b(replica: u32, k: u32, n: u32) -> mat4x4f {
  let column = min(n, N / 4u - 1u);
  if (transpose_b) {
    let stride = K / 4u;
    let i = replica * b_stride + 4u * column * stride + k;
    return transpose(mat4x4f(b[i], b[i + stride], b[i + 2u * stride], b[i + 3u * stride]));
  }
  let stride = N / 4u;
  let i = replica * b_stride + 4u * k * stride + column;
  return mat4x4f(b[i], b[i + stride], b[i + 2u * stride], b[i + 3u * stride]);
}

fn store(replica: u32, m: u32, n: u32, product: mat4x4f) {
  let stride = N / 4u;
  if (m >= M / 4u || n >= stride) {
    return;
  }
  let i = replica * c_stride + 4u * m * stride + n;
  let offset = bias[replica * bias_stride + n];
  c[i] = finish(product[0], c[i], offset);
  c[i + stride] = finish(product[1], c[i + stride], offset);
  c[i + 2u * stride] = finish(product[2], c[i + 2u * stride], offset);
  c[i + 3u * stride] = finish(product[3], c[i + 3u * stride], offset);
}

@compute @workgroup_size(workgroup_x, workgroup_y)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = 2u * id.x;
  let m = 4u * id.y;
  let replica = id.z;
  if (m >= M / 4u || n >= N / 4u || halted(replica)) {
    return;
  }
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  var c20 = mat4x4f();
  var c21 = mat4x4f();
  var c30 = mat4x4f();
  var c31 = mat4x4f();
  for (var k = 0u; k < K / 4u; k++) {
    let b0 = block_b(replica, k, n);
    let b1 = block_b(replica, k, n + 1u);
    let a0 = block_a(replica, m, k);
    c00 += b0 * a0;
    c01 += b1 * a0;
    let a1 = block_a(replica, m + 1u, k);
    c10 += b0 * a1;
    c11 += b1 * a1;
    let a2 = block_a(replica, m + 2u, k);
    c20 += b0 * a2;
    c21 += b1 * a2;
    let a3 = block_a(replica, m + 3u, k);
    c30 += b0 * a3;
    c31 += b1 * a3;
  }
  store(replica, m, n, c00);
  store(replica, m, n + 1u, c01);
  store(replica, m + 1u, n, c10);
  store(replica, m + 1u, n + 1u, c11);
  store(replica, m + 2u, n, c20);
  store(replica, m + 2u, n + 1u, c21);
  store(replica, m + 3u, n, c30);
  store(replica, m + 3u, n + 1u, c31);
}
