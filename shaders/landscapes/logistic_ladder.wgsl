// Logistic maps of many rates, and the logarithms of their derivatives; the formula is in
// src/lab/experiments/logistic_ladder.ts. numbers are the rates.
fn term(i: u32) -> f32 {
  let n = setting.dimension / 2u;
  if (i >= n) {
    return 0.0;
  }
  return setting.numbers[i] * x(i) * x(i) * (x(i) / 3.0 - 0.5);
}

fn slope(i: u32) -> f32 {
  let n = setting.dimension / 2u;
  if (i >= n) {
    return -log(max(1e-30, abs(1.0 - setting.numbers[i - n] * (2.0 * x(i - n) - 1.0))));
  }
  return setting.numbers[i] * x(i) * (x(i) - 1.0);
}
