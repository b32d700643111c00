// AdEMAMix; the formula and its sources are in src/rules/ademamix.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  y.m = x.m + h.one_minus_beta1 * (gradient - x.m);
  y.slow = x.slow + h.one_minus_beta3 * (gradient - x.slow);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * gradient * gradient;
  let shift = h.step_size * y.m + h.slow_step * y.slow;
  y.decay = h.decay * x.p;
  y.step = shift / (sqrt(y.v / h.bias2 + h.eps_root) + h.eps);
  return y;
}
