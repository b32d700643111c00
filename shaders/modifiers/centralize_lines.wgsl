// After lines.wgsl: the mean of the gradient along each output's line.
struct Sum {
  gradient: vec4f,
}

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.gradient + b.gradient);
}

fn across_lines(a: Sum, b: Sum, c: Sum, d: Sum) -> Sum {
  return Sum(across(a.gradient, b.gradient, c.gradient, d.gradient));
}

fn line_terms(g: vec4f, task: Lines, t: vec4u, neighbours: bool) -> Sum {
  return Sum(g);
}

fn settle(before: vec4f, sum: Sum, count: f32, h: Row) -> vec4f {
  return sum.gradient / count;
}
