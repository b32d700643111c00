// LAMB; the formula and its sources are in src/rules/lamb.ts.
fn moments(x: Cell, g: vec4f, h: Row) -> Cell {
  var y = x;
  y.m = h.beta1 * x.m + h.one_minus_beta1 * g;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * g * g;
  return y;
}

fn direction(y: Cell, h: Row) -> vec4f {
  return h.unbias1 * y.m / (sqrt(h.unbias2 * y.v + h.eps_root) + h.eps) + h.weight_decay * y.p;
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  let u = direction(moments(x, gradient, h), h);
  return Sums(x.p * x.p, u * u);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let moving = s.param_squares >= 0x1p-126f && s.step_squares >= 0x1p-126f;
  // Where nothing moves, the divisor is 1, so that 0 / 0 never occurs.
  let ratio = sqrt(s.param_squares) / sqrt(select(1.0, s.step_squares, moving));
  return Scalars(select(1.0, ratio, moving));
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = moments(x, gradient, h);
  y.step = h.lr * r.ratio * direction(y, h);
  return y;
}
