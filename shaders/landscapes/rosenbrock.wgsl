// A curved valley; the formula and its source are in src/objectives/landscapes/rosenbrock.ts.
fn term(i: u32) -> f32 {
  if (i + 1u == setting.dimension) {
    return 0.0;
  }
  let side = x(i + 1u) - x(i) * x(i);
  let floor = setting.a - x(i);
  return setting.b * side * side + floor * floor;
}

fn slope(i: u32) -> f32 {
  var sum = 0.0;
  if (i + 1u < setting.dimension) {
    sum = -4.0 * setting.b * x(i) * (x(i + 1u) - x(i) * x(i)) - 2.0 * (setting.a - x(i));
  }
  if (i > 0u) {
    sum += 2.0 * setting.b * (x(i) - x(i - 1u) * x(i - 1u));
  }
  return sum;
}
