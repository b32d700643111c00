// Averaged stochastic gradient descent; the formula and its sources are in src/rules/asgd.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.p = h.keep * x.p;
  y.step = h.eta * g;
  let p = y.p - y.step;
  y.ax = select(x.ax + h.mu * (p - x.ax), p, h.mu == 1.0);
  return y;
}
