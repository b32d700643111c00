// Huber: d²/2 for a difference up to delta, then a straight line with the same slope. The loss and its derivative.
fn each(output: f32, given: f32) -> vec2f {
  let delta = sizes.option;
  let d = output - given;
  let size = abs(d);
  let inner = vec2f(0.5 * d * d, d);
  let outer = vec2f(delta * (size - 0.5 * delta), sign(d) * delta);
  return select(inner, outer, size > delta);
}
