// Adamax; the formula and its sources are in src/rules/adamax.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.m = x.m + h.one_minus_beta1 * (g - x.m);
  y.u = larger(h.beta2 * x.u, abs(g) + h.eps);
  y.step = h.step_size * y.m / y.u;
  return y;
}
