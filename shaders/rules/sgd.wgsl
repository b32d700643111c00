// Stochastic gradient descent; the formula and its sources stand in src/rules/sgd.ts.
override nesterov: bool = false;

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.momentum = h.momentum * x.momentum + h.share * g;
  y.p = x.p - h.lr * select(y.momentum, g + h.momentum * y.momentum, nesterov);
  return y;
}
