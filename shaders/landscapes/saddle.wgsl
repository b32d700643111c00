// A saddle at the origin; the formula is in src/objectives/landscapes/saddle.ts.
fn rises(i: u32) -> bool {
  return setting.dimension - i > u32(setting.down);
}

fn term(i: u32) -> f32 {
  let s = x(i) * x(i);
  return select(s * (0.5 * setting.bound * s - 1.0), s, rises(i));
}

fn slope(i: u32) -> f32 {
  return 2.0 * x(i) * select(setting.bound * x(i) * x(i) - 1.0, 1.0, rises(i));
}
