// Squared error: the loss and its derivative.
fn each(output: f32, given: f32) -> vec2f {
  let d = output - given;
  return vec2f(d * d, 2.0 * d);
}
