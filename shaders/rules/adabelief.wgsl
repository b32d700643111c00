// AdaBelief; the formula and its sources are in src/rules/adabelief.ts.
override nesterov: bool = false;

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let difference = gradient - x.m;
  let surprise = h.beta1 * difference;
  y.m = x.m + h.one_minus_beta1 * difference;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * surprise * surprise + h.eps_root;
  let shift = select(h.step_size * y.m, h.momentum_step * y.m + h.gradient_step * gradient, nesterov);
  y.decay = h.decay * x.p;
  y.step = shift / (sqrt(y.v) / h.sqrt_bias2 + h.eps);
  return y;
}
