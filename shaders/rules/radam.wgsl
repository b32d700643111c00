// RAdam; the formula and its sources are in src/rules/radam.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.l2 * x.p;
  y.m = x.m + h.one_minus_beta1 * (g - x.m);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * g * g;
  y.p = h.keep * x.p;
  y.step = h.step_size * y.m / select(vec4f(1.0), sqrt(y.v) + h.eps, h.rectified != 0.0);
  return y;
}
