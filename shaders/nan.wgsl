// What rules may call: the built-in functions may lose what is NaN, or detect it by a comparison that is optimised away.
fn nan_in(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn signs_of(x: vec4f) -> vec4f {
  return select(sign(x), x, nan_in(x));
}

fn at_least(x: vec4f, least: f32) -> vec4f {
  return select(max(x, vec4f(least)), x, nan_in(x));
}
