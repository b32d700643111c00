// Yogi; the formula and its sources are in src/rules/yogi.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let squared = gradient * gradient;
  y.m = x.m + h.one_minus_beta1 * (gradient - x.m);
  y.v = x.v - h.one_minus_beta2 * signs_of(x.v - squared) * squared;
  y.decay = h.decay * x.p;
  y.step = h.step_size * y.m / (sqrt(y.v / h.bias2 + h.eps_root) + h.eps);
  return y;
}
