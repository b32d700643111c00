// Schedule-free SGD and AdamW; the formula and its sources stand in src/rules/schedule_free.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * gradient * gradient;
  let u = gradient / (sqrt(y.v) / h.sqrt_bias2 + h.eps) + h.weight_decay * x.p;
  y.step = h.lr_share * u - h.pull * (x.z - x.p);
  y.z = x.z - h.lr * u;
  return y;
}
