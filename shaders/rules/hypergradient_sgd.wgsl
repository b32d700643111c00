// Hypergradient descent with SGD; the formula and its sources are in src/rules/hypergradient_sgd.ts.
override nesterov: bool = false;

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  return Sums((gradient + h.weight_decay * x.p) * x.direction);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let drift = r.drift + h.hyper_lr * s.inner;
  return Scalars(drift, h.lr + drift);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  let b = h.momentum * x.momentum + h.share * g;
  let moving = h.momentum != 0.0;
  y.momentum = select(x.momentum, b, moving);
  y.direction = select(g, select(b, g + h.momentum * b, nesterov), moving);
  y.step = (h.lr + r.drift) * y.direction;
  return y;
}
