// Lion; the formula and its sources are in src/rules/lion.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let c = h.beta1 * x.m + h.one_minus_beta1 * gradient;
  y.m = h.beta2 * x.m + h.one_minus_beta2 * gradient;
  y.decay = h.decay * x.p;
  y.step = h.lr * signs_of(c);
  return y;
}
