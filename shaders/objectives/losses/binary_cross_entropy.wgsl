// Binary cross-entropy of the sigmoid, from the logit: the loss and its derivative. No exponential exceeds 1.
fn each(output: f32, given: f32) -> vec2f {
  let smoothing = sizes.option;
  let wanted = given * (1.0 - smoothing) + 0.5 * smoothing;
  let small = exp(-abs(output));
  let share = select(small, 1.0, output >= 0.0) / (1.0 + small);
  return vec2f(max(output, 0.0) - output * wanted + log(1.0 + small), share - wanted);
}
