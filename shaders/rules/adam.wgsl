// Adam and AdamW; the formula and its sources are in src/rules/adam.ts.
override amsgrad: bool = false;
override subtract_decay: bool = false;

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.l2 * x.p;
  y.m = x.m + h.one_minus_beta1 * (g - x.m);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * g * g;
  y.v_max = larger(x.v_max, y.v);
  let w = select(y.v, y.v_max, amsgrad);
  y.p = h.keep * x.p;
  y.decay = select(vec4f(), h.decay * x.p, subtract_decay);
  y.step = h.step_size * y.m / (sqrt(w) / h.sqrt_bias2 + h.eps);
  return y;
}
