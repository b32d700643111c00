// sin(π x) and cos(π x), with both signs flipped where the nearest whole number is odd. WGSL allows its sin and cos to be off by
// 5e-4 and sets no bound far from 0, so they are computed here: the distance to the nearest whole number is exact, and on the
// remaining half turn the first terms of their series are enough.
fn half_turn(value: f32) -> vec2f {
  let t = 3.14159265358979 * (value - round(value));
  let s = t * t;
  let sine = t * (1.0 + s * (-1.0 / 6.0 + s * (1.0 / 120.0 + s * (-1.0 / 5040.0 + s * (1.0 / 362880.0 - s / 39916800.0)))));
  let cosine = 1.0 + s * (-0.5 + s * (1.0 / 24.0 + s * (-1.0 / 720.0 + s * (1.0 / 40320.0 + s * (-1.0 / 3628800.0 + s / 479001600.0)))));
  return vec2f(sine, cosine);
}

