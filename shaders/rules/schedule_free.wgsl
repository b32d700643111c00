// Schedule-free SGD and AdamW; the formula and its sources are in src/rules/schedule_free.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  y.v = h.beta2 * x.v + h.one_minus_beta2 * gradient * gradient;
  let direction = gradient / (sqrt(y.v) / h.sqrt_bias2 + h.eps);
  y.decay = h.lr_share * h.weight_decay * x.p;
  y.step = h.lr_share * direction - h.pull * (x.z - x.p);
  y.z = x.z - h.lr * (direction + h.weight_decay * x.p);
  return y;
}
