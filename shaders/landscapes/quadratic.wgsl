// A bowl of a chosen spectrum; the formula is in src/objectives/landscapes/quadratic.ts. numbers are the curvatures.
fn across(i: u32) -> f32 {
  return select(-setting.sine, setting.sine, 2u * i + 1u < setting.dimension);
}

fn turned(i: u32) -> f32 {
  let j = setting.dimension - 1u - i;
  return select(setting.cosine * x(i) + across(i) * x(j), x(i), i == j);
}

fn term(i: u32) -> f32 {
  let u = turned(i);
  return 0.5 * setting.numbers[i] * u * u;
}

fn slope(i: u32) -> f32 {
  let j = setting.dimension - 1u - i;
  let own = setting.numbers[i] * turned(i);
  return select(setting.cosine * own - across(i) * setting.numbers[j] * turned(j), own, i == j);
}
