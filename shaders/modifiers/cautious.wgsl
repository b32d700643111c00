// Leaves out what goes against the gradient and scales the rest up (Liang et al. 2024); decay is not the update's.
fn goes_along(step: vec4f, g: vec4f) -> vec4<bool> {
  return sign(step) * sign(g) > vec4f();
}

fn cautious_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  let kept = kept_by(x, h);
  let step = kept - y.p;
  y.p = kept - select(vec4f(), m.cautious * step, goes_along(step, g));
  return y;
}
