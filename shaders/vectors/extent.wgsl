// The size of a vector's elements: the sum of their magnitudes, and the largest.
struct Sum {
  sum: f32,
  // its bits, among which those of NaN are the largest
  largest: u32,
}

const result_count = 2u;

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.sum + b.sum, max(a.largest, b.largest));
}

fn add_terms(sum: Sum, value: vec4f) -> Sum {
  let size = abs(value);
  let bits = bitcast<vec4u>(value) & vec4u(0x7fffffffu);
  return add_sums(sum, Sum(dot(size, vec4f(1.0)), max(max(bits.x, bits.y), max(bits.z, bits.w))));
}

fn results(total: Sum) -> vec2f {
  return vec2f(total.sum, bitcast<f32>(total.largest));
}
