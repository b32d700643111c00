// D-Adaptation with Adam; the formula and its sources are in src/rules/dadapt_adam.ts.
override decoupled_weight_decay: bool = false;
override use_bias_correction: bool = false;

fn rate(d: f32, h: Row) -> f32 {
  return d * select(h.lr, h.corrected_lr, use_bias_correction);
}

fn decayed(x: Cell, gradient: vec4f, h: Row) -> vec4f {
  return gradient + select(h.weight_decay, 0.0, decoupled_weight_decay) * x.p;
}

fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Measured {
  var y = x;
  let g = decayed(x, gradient, h);
  y.s = h.sqrt_beta2 * x.s + h.one_minus_sqrt_beta2 * (rate(r.d, h) * g);
  return Measured(y, Sums(g * (x.s / (sqrt(x.v) + h.eps)), abs(y.s)));
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  let numerator = h.sqrt_beta2 * r.numerator + h.one_minus_sqrt_beta2 * rate(r.d, h) * s.inner;
  let divisor = h.one_minus_sqrt_beta2 * s.magnitude;
  let known = divisor >= 0x1p-126f;
  let estimate = numerator / select(1.0, divisor, known);
  let grown = select(min(estimate, r.d * h.growth_rate), estimate, nan_in(vec4f(estimate)).x);
  return Scalars(select(r.d, larger_of(r.d, grown), known), r.d, numerator);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  let delta = rate(r.d_previous, h);
  let decay = select(0.0, delta * h.weight_decay, decoupled_weight_decay);
  let g = decayed(x, gradient, h);
  var y = x;
  y.m = h.beta1 * x.m + h.one_minus_beta1 * (delta * g);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * g * g;
  y.step = decay * x.p + y.m / (sqrt(y.v) + h.eps);
  return y;
}
