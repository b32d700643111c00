// RMSprop; the formula and its sources are in src/rules/rmsprop.ts.
override centered: bool = false;

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.v = h.alpha * x.v + h.one_minus_alpha * g * g;
  y.mean = x.mean + h.one_minus_alpha * (g - x.mean);
  let w = select(y.v, at_least(y.v - y.mean * y.mean, 0.0), centered);
  let d = g / (sqrt(w) + h.eps);
  let b = h.momentum * x.momentum + d;
  let moving = h.momentum != 0.0;
  y.momentum = select(x.momentum, b, moving);
  y.step = h.lr * select(d, b, moving);
  return y;
}
