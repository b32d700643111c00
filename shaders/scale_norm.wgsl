// The gradient's factor where its norm is taken: as two factors, since their product can be below float32's range.
fn scale_of(record: u32, h: Row) -> vec2f {
  return vec2f(h.gradient_scale * control[record].scale, control[record].shrink);
}

fn scaled(g: vec4f, scale: vec2f) -> vec4f {
  return scale.x * (scale.y * g);
}
