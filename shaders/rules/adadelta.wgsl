// Adadelta; the formula and its sources are in src/rules/adadelta.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.v = h.rho * x.v + h.one_minus_rho * g * g;
  let delta = sqrt(x.u + h.eps) / sqrt(y.v + h.eps) * g;
  y.u = h.rho * x.u + h.one_minus_rho * delta * delta;
  y.step = h.lr * delta;
  return y;
}
