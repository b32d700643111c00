// A bowl with a flat bottom; the formula is in src/objectives/landscapes/quartic.ts.
fn term(i: u32) -> f32 {
  let s = x(i) * x(i);
  return s * s;
}

fn slope(i: u32) -> f32 {
  return 4.0 * x(i) * x(i) * x(i);
}
