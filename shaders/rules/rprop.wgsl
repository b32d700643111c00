// Rprop; the formula and its sources are in src/rules/rprop.ts.
fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.weight_decay * x.p;
  let turn = signs_of(g) * signs_of(x.previous);
  let turned = turn < vec4f();
  let eta = select(select(vec4f(1.0), vec4f(h.eta_minus), turned), vec4f(h.eta_plus), turn > vec4f());
  y.step_size = min(max(eta * x.step_size, vec4f(h.step_size_min)), vec4f(h.step_size_max));
  y.previous = select(g, vec4f(), turned);
  y.step = y.step_size * signs_of(y.previous);
  return y;
}
