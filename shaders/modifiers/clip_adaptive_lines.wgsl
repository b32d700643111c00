// After lines.wgsl: the factor of adaptive clipping (Brock et al. 2021) for each unit's gradient. A negative factor -f stands for
// f · 2^-80, which can be below float32's range.
struct Sum {
  gradient: vec4f,
  // squares overflow above 1.8e19: those of the gradient 2^80 times smaller
  high: vec4f,
  param: vec4f,
}

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.gradient + b.gradient, a.high + b.high, a.param + b.param);
}

fn across_lines(a: Sum, b: Sum, c: Sum, d: Sum) -> Sum {
  return Sum(
    across(a.gradient, b.gradient, c.gradient, d.gradient),
    across(a.high, b.high, c.high, d.high),
    across(a.param, b.param, c.param, d.param));
}

fn line_terms(g: vec4f, task: Lines, t: vec4u, neighbours: bool) -> Sum {
  let p = line_params(task, t, neighbours);
  return Sum(g * g, (g * 0x1p-80f) * (g * 0x1p-80f), p * p);
}

fn settle(before: vec4f, sum: Sum, count: f32, h: Row) -> vec4f {
  let most = h.clipping * at_least(sqrt(sum.param), h.least_norm);
  let norm = sqrt(sum.gradient);
  let scale = select(most / max(norm, vec4f(1e-6)), vec4f(1.0), norm < most);
  let high_norm = sqrt(sum.high);
  let high_scale = select(-most / high_norm, vec4f(1.0), high_norm < most * 0x1p-80f);
  // One NaN, of the gradient or the parameters, makes its whole unit NaN.
  let words = bitcast<vec4u>(sum.gradient) & vec4u(0x7fffffffu);
  let joint = select(scale, high_scale, words > vec4u(0x71800000u));
  return select(select(joint, most, nan_in(most)), sum.gradient, nan_in(sum.gradient));
}
