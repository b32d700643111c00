// Behind lines.wgsl: the mean of the gradient along each output's line.
struct Sum {
  gradient: vec4f,
}

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.gradient + b.gradient);
}

fn line_terms(g: vec4f, p: vec4f) -> Sum {
  return Sum(g);
}

fn settle(before: vec4f, sum: Sum, count: f32, h: Row) -> vec4f {
  return sum.gradient / count;
}
