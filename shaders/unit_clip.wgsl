// Behind lines.wgsl: what adaptive clipping (Brock et al. 2021) multiplies the gradient of each unit by. Less than 0: by its
// negative and by 2^-80, which together may be less than float32 holds.
const two_scales = true;

fn settle(before: vec4f, g2: vec4f, high: vec4f, p2: vec4f, count: f32, h: Row) -> vec4f {
  let most = sizes.clipping * max(sqrt(p2), vec4f(sizes.least_norm));
  let norm = sqrt(g2);
  let scale = select(most / max(norm, vec4f(1e-6)), vec4f(1.0), norm < most);
  let high_norm = sqrt(high);
  let high_scale = select(-most / high_norm, vec4f(1.0), high_norm < most * 0x1p-80f);
  // What is not a number makes its whole unit that.
  let words = bitcast<vec4u>(g2) & vec4u(0x7fffffffu);
  let joined = select(scale, high_scale, words > vec4u(0x71800000u));
  return select(joined, g2, words > vec4u(0x7f800000u));
}
