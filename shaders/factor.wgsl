// Behind lines.wgsl: moves a factored slot's means of the squared gradient.
const two_scales = false;

fn settle(before: vec4f, g2: vec4f, high: vec4f, p2: vec4f, count: f32, h: Row) -> vec4f {
  return before + factor_weight(h) * (g2 / count - before);
}
