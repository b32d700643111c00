// What the products share: their sizes and forms, and what follows the product in the same kernel. C = op(A) · op(B),
// row-major; A is [M, K] (stored [K, M] if transpose_a), B is [K, N] (stored [N, K] if transpose_b).
override M: u32;
override N: u32;
override K: u32;
override transpose_a: bool = false;
override transpose_b: bool = false;
// C = activation(product + bias)
override forward: bool = false;
// C = product * slope(C)
override backward: bool = false;
override workgroup_x: u32;
override workgroup_y: u32;
// from one replica's matrix to the next one's; 0 where all share it
override a_stride: u32;
override b_stride: u32;
override c_stride: u32;
override bias_stride: u32;

fn finish(product: vec4f, old: vec4f, offset: vec4f) -> vec4f {
  if (forward) {
    return activate(product + offset);
  }
  if (backward) {
    return product * slope(old);
  }
  return product;
}
