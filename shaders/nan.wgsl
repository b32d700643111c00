// What rules may call: the built-in functions may lose what is NaN, or detect it by a comparison that is optimised away.
fn nan_in(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn signs_of(x: vec4f) -> vec4f {
  return select(sign(x), x, nan_in(x));
}

// The larger of two; what is NaN in either stays that.
fn larger(a: vec4f, b: vec4f) -> vec4f {
  return select(max(a, b), a + b, nan_in(a) | nan_in(b));
}

fn larger_of(a: f32, b: f32) -> f32 {
  return larger(vec4f(a), vec4f(b)).x;
}

fn at_least(x: vec4f, least: f32) -> vec4f {
  return select(max(x, vec4f(least)), x, nan_in(x));
}
