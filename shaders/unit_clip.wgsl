// Behind lines.wgsl: what adaptive clipping (Brock et al. 2021) multiplies the gradient of each unit by.
fn settle(before: vec4f, g2: vec4f, p2: vec4f, count: f32, h: Row) -> vec4f {
  let most = sizes.clipping * max(sqrt(p2), vec4f(sizes.least_norm));
  let norm = sqrt(g2);
  return select(most / max(norm, vec4f(1e-6)), vec4f(1.0), norm < most);
}
