// Prodigy; the formula and its sources are in src/rules/prodigy.ts.
override safeguard_warmup: bool = false;

fn advance(x: Cell, gradient: vec4f, h: Row, d: f32) -> Cell {
  var y = x;
  let dg = d * gradient;
  y.m = h.beta1 * x.m + h.one_minus_beta1 * dg;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * dg * dg;
  y.s = h.beta3 * x.s + (d / h.d0) * select(h.step_size, 1.0, safeguard_warmup) * dg;
  return y;
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  return Sums(gradient * (x.params0 - x.p), abs(advance(x, gradient, h, r.d).s));
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let numerator = h.beta3 * r.numerator + (r.d / h.d0) * (r.d * h.step_size) * s.inner;
  let known = s.magnitude >= 0x1p-126f;
  let estimate = h.d_coef * numerator / select(1.0, s.magnitude, known);
  return Scalars(select(r.d, larger_of(r.d, estimate), known), r.d, numerator);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = advance(x, gradient, h, r.d_previous);
  let direction = h.weight_decay * x.p + y.m / (sqrt(y.v) + r.d * h.eps);
  y.step = r.d_previous * h.step_size * direction;
  return y;
}
