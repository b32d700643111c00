// LAMB; the formula and its sources are in src/rules/lamb.ts.
fn direction(x: Cell, h: Row) -> vec4f {
  return h.unbias1 * x.m / (sqrt(h.unbias2 * x.v + h.eps_root) + h.eps) + h.weight_decay * x.p;
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Measured {
  var y = x;
  y.m = h.beta1 * x.m + h.one_minus_beta1 * gradient;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * gradient * gradient;
  let u = direction(y, h);
  return Measured(y, Sums(x.p * x.p, u * u));
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let moving = s.param_squares >= 0x1p-126f && s.step_squares >= 0x1p-126f;
  // Where nothing moves, the divisor is 1, so that 0 / 0 never occurs.
  let ratio = sqrt(s.param_squares) / sqrt(select(1.0, s.step_squares, moving));
  return Scalars(select(1.0, ratio, moving));
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  y.step = h.lr * r.ratio * direction(x, h);
  return y;
}
