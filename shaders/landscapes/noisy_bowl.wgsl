// A bowl that moves, with noise in its gradient; the formula is in src/lab/experiments/noisy_bowl.ts.
fn away(i: u32) -> f32 {
  return x(i) - setting.drift * f32(step);
}

fn term(i: u32) -> f32 {
  return 0.5 * setting.curvature * away(i) * away(i);
}

fn slope(i: u32) -> f32 {
  return setting.curvature * away(i) + setting.noise * drawn(i);
}
