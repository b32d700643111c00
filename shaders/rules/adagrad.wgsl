// Adagrad; the formula and its sources are in src/rules/adagrad.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.sum = x.sum + g * g;
  y.step = h.step_size * g / (sqrt(y.sum) + h.eps);
  return y;
}
