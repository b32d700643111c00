// After half_turn.wgsl: a rugged bowl; the formula and its source are in src/objectives/landscapes/rastrigin.ts.
fn term(i: u32) -> f32 {
  let wave = half_turn(x(i)).x;
  return x(i) * x(i) + 2.0 * setting.amplitude * wave * wave;
}

fn slope(i: u32) -> f32 {
  let wave = half_turn(x(i));
  return 2.0 * x(i) + 12.5663706143592 * setting.amplitude * wave.x * wave.y;
}
