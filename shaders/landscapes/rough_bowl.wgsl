// A bowl with two ripples whose lengths have no common multiple; the formula stands in src/lab/experiments/rough_bowl.ts.
const ratio = 1.618034;
const pi = 3.14159265;

fn term(i: u32) -> f32 {
  let first = sin(pi * x(i));
  let second = sin(pi * ratio * x(i));
  return x(i) * x(i) + 2.0 * setting.amplitude * (first * first + setting.second * second * second);
}

fn slope(i: u32) -> f32 {
  let ripples = sin(2.0 * pi * x(i)) + setting.second * ratio * sin(2.0 * pi * ratio * x(i));
  return 2.0 * x(i) + 2.0 * pi * setting.amplitude * ripples + setting.noise * drawn(i);
}
