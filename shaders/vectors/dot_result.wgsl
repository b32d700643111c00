// After plain_sum.wgsl: a dot product is the sum itself.
const result_count = 1u;

fn results(total: Sum) -> vec2f {
  return vec2f(total.value);
}
