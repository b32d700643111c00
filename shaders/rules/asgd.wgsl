// Averaged stochastic gradient descent; the formula and its sources stand in src/rules/asgd.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.p = h.keep * x.p - h.eta * g;
  y.ax = select(x.ax + h.mu * (y.p - x.ax), y.p, h.mu == 1.0);
  return y;
}
