// Muon; the formula and its sources are in src/rules/muon.ts.
override nesterov: bool = true;

fn direction(x: Cell, gradient: vec4f, h: Row) -> vec4f {
  let b = x.momentum + h.one_minus_momentum * (gradient - x.momentum);
  return select(b, gradient + h.momentum * (b - gradient), nesterov);
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  let u = direction(x, gradient, h);
  return Sums(u * u);
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
  y.momentum = x.momentum + h.one_minus_momentum * (gradient - x.momentum);
  y.p = h.keep * x.p;
  y.step = h.lr * x.orthogonal;
  return y;
}
