// What the gradient is multiplied by where its norm is taken: two factors, since one alone may be less than float32 holds.
fn scale_of(record: u32, h: Row) -> vec2f {
  return vec2f(h.gradient_scale * control[record].scale, control[record].shrink);
}

fn scaled(g: vec4f, scale: vec2f) -> vec4f {
  return scale.x * (scale.y * g);
}
