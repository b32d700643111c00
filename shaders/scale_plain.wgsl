// The gradient's factor where there is no norm.
fn scale_of(record: u32, h: Row) -> vec2f {
  return vec2f(h.gradient_scale, 1.0);
}

fn scaled(g: vec4f, scale: vec2f) -> vec4f {
  return scale.x * g;
}
