// Adan; the formula and its sources are in src/rules/adan.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let difference = select(vec4f(), gradient - x.previous, h.comparable != 0.0);
  let ahead = gradient + h.one_minus_beta2 * difference;
  y.m = x.m + h.one_minus_beta1 * (gradient - x.m);
  y.change = x.change + h.one_minus_beta2 * (difference - x.change);
  y.v = h.beta3 * x.v + h.one_minus_beta3 * ahead * ahead;
  y.previous = gradient;
  let shift = h.step_size * y.m + h.change_step * y.change;
  y.decay = h.decay * x.p;
  y.step = shift / (sqrt(y.v / h.bias3 + h.eps_root) + h.eps);
  return y;
}
