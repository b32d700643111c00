// NAdam; the formula and its sources are in src/rules/nadam.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.l2 * x.p;
  y.m = x.m + h.one_minus_beta1 * (g - x.m);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * g * g;
  y.p = h.keep * x.p;
  y.step = (h.gradient_step * g + h.momentum_step * y.m) / (sqrt(y.v) / h.sqrt_bias2 + h.eps);
  return y;
}
