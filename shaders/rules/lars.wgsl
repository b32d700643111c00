// LARS; the formula and its sources are in src/rules/lars.ts.
override nesterov: bool = false;

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  let u = gradient + h.weight_decay * x.p;
  return Sums(x.p * x.p, u * u);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let moving = s.param_squares >= 0x1p-126f && s.step_squares >= 0x1p-126f;
  // Where nothing moves, the divisor is at least 1, so that 0 / 0 never occurs.
  let ratio = h.trust_coefficient * sqrt(s.param_squares) / (sqrt(select(1.0, s.step_squares, moving)) + h.eps);
  return Scalars(select(1.0, ratio, moving));
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  let scaled = h.lr * r.ratio * (gradient + h.weight_decay * x.p);
  y.momentum = scaled + h.momentum * x.momentum;
  y.step = select(y.momentum, scaled + h.momentum * y.momentum, nesterov);
  return y;
}
