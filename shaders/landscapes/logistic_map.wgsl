// The loss on which gradient descent is the logistic map; the formula is in src/objectives/landscapes/logistic_map.ts.
fn term(i: u32) -> f32 {
  return x(i) * x(i) * (x(i) / 3.0 - 0.5);
}

fn slope(i: u32) -> f32 {
  return x(i) * (x(i) - 1.0);
}
