// Hypergradient descent with Adam; the formula and its sources are in src/rules/hypergradient_adam.ts.
fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  let direction = h.last_unbias1 * x.m / (sqrt(x.v) / h.last_sqrt_bias2 + h.last_eps);
  return Sums((gradient + h.weight_decay * x.p) * direction);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let drift = r.drift + h.hyper_lr * s.inner;
  return Scalars(drift, h.lr + drift);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  y.m = x.m + h.one_minus_beta1 * (g - x.m);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * g * g;
  y.step = (h.lr + r.drift) * h.unbias1 * y.m / (sqrt(y.v) / h.sqrt_bias2 + h.eps);
  return y;
}
