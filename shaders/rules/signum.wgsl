// Signum; the formula and its sources stand in src/rules/signum.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  y.m = h.momentum * x.m + h.one_minus_momentum * gradient;
  y.step = h.decay * x.p + h.lr * signs_of(y.m);
  return y;
}
