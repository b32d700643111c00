// Clamps the gradient. NaN stays NaN, which a clamp alone would lose.
fn clip_value_gradient(g: vec4f, t: vec4u, places: Places, h: Row) -> vec4f {
  return select(clamp(g, vec4f(-h.clip_value), vec4f(h.clip_value)), g, nan_in(g));
}
