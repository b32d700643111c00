// Prodigy; the formula and its sources are in src/rules/prodigy.ts.
override safeguard_warmup: bool = false;

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Measured {
  var y = x;
  y.s = h.beta3 * x.s + (r.d / h.d0) * select(h.step_size, 1.0, safeguard_warmup) * (r.d * gradient);
  return Measured(y, Sums(gradient * (x.params0 - x.p), abs(y.s)));
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let numerator = h.beta3 * r.numerator + (r.d / h.d0) * (r.d * h.step_size) * s.inner;
  let known = s.magnitude >= 0x1p-126f;
  let estimate = h.d_coef * numerator / select(1.0, s.magnitude, known);
  return Scalars(select(r.d, larger_of(r.d, estimate), known), r.d, numerator);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  let dg = r.d_previous * gradient;
  y.m = h.beta1 * x.m + h.one_minus_beta1 * dg;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * dg * dg;
  let direction = h.weight_decay * x.p + y.m / (sqrt(y.v) + r.d * h.eps);
  y.step = r.d_previous * h.step_size * direction;
  return y;
}
