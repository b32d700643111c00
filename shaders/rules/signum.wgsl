// Signum; the formula and its sources are in src/rules/signum.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  y.m = h.momentum * x.m + h.one_minus_momentum * gradient;
  y.decay = h.decay * x.p;
  y.step = h.lr * signs_of(y.m);
  return y;
}
