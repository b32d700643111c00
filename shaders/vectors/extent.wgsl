// The size of a vector's elements: the sum of their magnitudes, and the largest.
struct Sum {
  sum: f32,
  largest: f32,
}

const result_count = 2u;

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.sum + b.sum, max(a.largest, b.largest));
}

fn add_terms(sum: Sum, value: vec4f) -> Sum {
  let size = abs(value);
  return add_sums(sum, Sum(dot(size, vec4f(1.0)), max(max(size.x, size.y), max(size.z, size.w))));
}

fn results(total: Sum) -> vec2f {
  return vec2f(total.sum, total.largest);
}
