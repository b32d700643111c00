// After half_turn.wgsl and noise.wgsl: a bowl with two ripples whose lengths have no common multiple; the formula is in
// src/lab/experiments/rough_bowl.ts.
const ratio = 1.618034;
const pi = 3.14159265;

fn term(i: u32) -> f32 {
  let first = half_turn(x(i)).x;
  let second = half_turn(ratio * x(i)).x;
  return x(i) * x(i) + 2.0 * setting.amplitude * (first * first + setting.second * second * second);
}

fn slope(i: u32) -> f32 {
  let first = half_turn(x(i));
  let second = half_turn(ratio * x(i));
  let ripples = 2.0 * first.x * first.y + setting.second * ratio * 2.0 * second.x * second.y;
  return 2.0 * x(i) + 2.0 * pi * setting.amplitude * ripples + setting.noise * drawn(i);
}
