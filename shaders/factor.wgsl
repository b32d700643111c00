// After lines.wgsl: moves a factored slot's means of the squared gradient.
struct Sum {
  square: vec4f,
}

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.square + b.square);
}

fn across_lines(a: Sum, b: Sum, c: Sum, d: Sum) -> Sum {
  return Sum(across(a.square, b.square, c.square, d.square));
}

fn line_terms(g: vec4f, task: Lines, t: vec4u, neighbours: bool) -> Sum {
  return Sum(g * g);
}

fn settle(before: vec4f, sum: Sum, count: f32, h: Row) -> vec4f {
  return before + factor_weight(h) * (sum.square / count - before);
}
