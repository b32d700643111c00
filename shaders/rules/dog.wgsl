// DoG; the formula and its sources are in src/rules/dog.ts.
fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  let g = gradient + h.weight_decay * x.p;
  let away = x.params0 - x.p;
  return Sums(x.p * x.p, away * away, g * g);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let start = h.init_distance + h.reps_rel * (1.0 + sqrt(s.param_squares));
  let farthest = larger_of(larger_of(r.farthest, start), sqrt(s.distance_squares));
  let squares = r.gradient_squares + s.gradient_squares;
  return Scalars(farthest, squares, select(farthest / sqrt(squares + h.eps), h.init_lr, h.init_lr > 0.0));
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  y.step = h.lr * r.rate * (gradient + h.weight_decay * x.p);
  return y;
}
