// Stochastic gradient descent; the formula and its sources are in src/rules/sgd.ts.
override nesterov: bool = false;

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  let b = h.momentum * x.momentum + h.share * g;
  let moving = h.momentum != 0.0;
  y.momentum = select(x.momentum, b, moving);
  y.step = h.lr * select(g, select(b, g + h.momentum * b, nesterov), moving);
  return y;
}
