// Muon; the formula and its sources are in src/rules/muon.ts.
override nesterov: bool = true;

fn direction(x: Cell, gradient: vec4f, h: Row) -> vec4f {
  return select(x.momentum, gradient + h.momentum * (x.momentum - gradient), nesterov);
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Measured {
  var y = x;
  y.momentum = x.momentum + h.one_minus_momentum * (gradient - x.momentum);
  let u = direction(y, gradient, h);
  return Measured(y, Sums(u * u));
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let norm = larger_of(sqrt(s.square), h.eps);
  return Scalars(select(1.0 / norm, 0.0, norm == 0.0));
}

fn prepare(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> vec4f {
  return direction(x, gradient, h) * r.inverse;
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  y.p = h.keep * x.p;
  y.step = h.lr * x.orthogonal;
  return y;
}
