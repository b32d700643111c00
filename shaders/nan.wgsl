// Functions for rules that decide by bits: built-in functions may lose NaN, compilers may assume that no number is NaN or
// infinite and drop the comparisons that would find one, and each implementation chooses whether arithmetic keeps numbers below
// 2^-126 or flushes them to 0. docs/numerics.md lists the choices that remain.
fn nan_in(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// Flushes numbers below 2^-126 to 0, by their bits.
fn normal_or_zero(x: vec4f) -> vec4f {
  return select(x, vec4f(), (bitcast<vec4u>(x) & vec4u(0x7f800000u)) == vec4u());
}

// Signs; 0 for numbers below 2^-126. All in bits, which takes fewer operations than sign() alone.
fn signs_of(x: vec4f) -> vec4f {
  let bits = bitcast<vec4u>(x);
  let magnitude = bits & vec4u(0x7fffffffu);
  let ones = bitcast<vec4f>((bits ^ magnitude) | vec4u(0x3f800000u));
  return select(select(vec4f(), ones, magnitude >= vec4u(0x00800000u)), x, magnitude > vec4u(0x7f800000u));
}

// The larger of two; NaN if either is NaN.
fn larger(a: vec4f, b: vec4f) -> vec4f {
  return select(select(max(a, b), b, nan_in(b)), a, nan_in(a));
}

fn larger_of(a: f32, b: f32) -> f32 {
  return larger(vec4f(a), vec4f(b)).x;
}

fn at_least(x: vec4f, least: f32) -> vec4f {
  return select(max(x, vec4f(least)), x, nan_in(x));
}
