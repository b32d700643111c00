// For rules and modifiers that go by signs.

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
