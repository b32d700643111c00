// Adafactor; the formula and its sources are in src/rules/adafactor.ts.

// The second moment after this gradient; for a factored tensor it has moved already.
fn moment(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> vec4f {
  return select(x.v + h.share * (gradient * gradient - x.v), x.v, r.factored != 0.0);
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  let scaled = gradient / sqrt(at_least(moment(x, gradient, h, r), h.least_square));
  return Sums(x.p * x.p, scaled * scaled);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  var y = r;
  let alpha = h.rho * larger_of(h.eps2, sqrt(s.param / s.count));
  y.step = alpha / at_least(vec4f(sqrt(s.scaled / s.count) / h.d), 1.0).x;
  return y;
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  y.v = moment(x, gradient, h, r);
  y.p = h.keep * x.p;
  y.step = r.step * gradient / sqrt(at_least(y.v, h.least_square));
  return y;
}
