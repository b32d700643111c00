// Bounds that keep NaN, beside `larger` (nan.wgsl).
fn larger_of(a: f32, b: f32) -> f32 {
  return larger(vec4f(a), vec4f(b)).x;
}

fn at_least(x: vec4f, least: f32) -> vec4f {
  return select(max(x, vec4f(least)), x, nan_in(x));
}
