// One product of the Newton–Schulz iteration: c ← alpha · a·b + beta · d. Every operand has a stride for rows and one for
// columns, which serves transposes. A lane makes a square of 4 × 4.
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = 4u * id.y;
  let j = 4u * id.x;
  if (i >= product.m || j >= product.n) {
    return;
  }
  let rows = min(vec4u(i, i + 1u, i + 2u, i + 3u), vec4u(product.m - 1u));
  let columns = min(vec4u(j, j + 1u, j + 2u, j + 3u), vec4u(product.n - 1u));
  let from_a = product.a.offset + id.z * product.a.replica + rows * product.a.row;
  let from_b = product.b.offset + id.z * product.b.replica + columns * product.b.column;
  var sum = mat4x4f();
  for (var k = 0u; k < product.k; k++) {
    let at_a = from_a + k * product.a.column;
    let at_b = from_b + k * product.b.row;
    let left = vec4f(a[at_a.x], a[at_a.y], a[at_a.z], a[at_a.w]);
    let right = vec4f(b[at_b.x], b[at_b.y], b[at_b.z], b[at_b.w]);
    sum = mat4x4f(
      sum[0] + left.x * right, sum[1] + left.y * right, sum[2] + left.z * right, sum[3] + left.w * right);
  }
  for (var r = 0u; r < min(4u, product.m - i); r++) {
    for (var s = 0u; s < min(4u, product.n - j); s++) {
      let at_d = product.d.offset + id.z * product.d.replica + (i + r) * product.d.row + (j + s) * product.d.column;
      let at_c = product.c.offset + id.z * product.c.replica + (i + r) * product.c.row + (j + s) * product.c.column;
      c[at_c] = product.alpha * sum[r][s] + product.beta * d[at_d];
    }
  }
}
