// A vector's norm. Squares of float32 leave its range above 1.8e19 and below 1e-19, so elements are squared in one of three scales
// (Blue 1978). The scales meet only after the roots are taken: a compiler may fold two factors into one that float32 takes for 0.
struct Sum {
  small: f32,
  middle: f32,
  large: f32,
}

const result_count = 1u;

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.small + b.small, a.middle + b.middle, a.large + b.large);
}

fn add_terms(sum: Sum, value: vec4f) -> Sum {
  let none = vec4f();
  // By bits: below 2^-48, or above 2^48. NaN is neither.
  let size = bitcast<vec4u>(value) & vec4u(0x7fffffffu);
  let is_small = size < vec4u(0x27800000u);
  let is_large = (size > vec4u(0x57800000u)) & (size <= vec4u(0x7f800000u));
  let middle = select(value, none, is_small | is_large);
  let small = select(none, value * 0x1p+80f, is_small);
  let large = select(none, value * 0x1p-88f, is_large);
  return add_sums(sum, Sum(dot(small, small), dot(middle, middle), dot(large, large)));
}

// The norm of two numbers, the first nonzero.
fn joint(first: f32, second: f32) -> f32 {
  let ratio = second / first;
  return first * sqrt(1.0 + ratio * ratio);
}

fn results(total: Sum) -> vec2f {
  let small = sqrt(total.small) * 0x1p-80f;
  let middle = sqrt(total.middle);
  let large = sqrt(total.large);
  var norm = small;
  if (bitcast<u32>(large) != 0u) {
    norm = joint(large, middle * 0x1p-88f) * 0x1p+88f;
  } else if (bitcast<u32>(middle) != 0u) {
    // NaN has other bits than 0.
    norm = joint(middle, small);
  }
  return vec2f(norm);
}
