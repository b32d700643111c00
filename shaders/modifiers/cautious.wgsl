// Drops the parts of the update that go against the gradient and scales the rest up (Liang et al. 2024); decay is left alone, and
// so is NaN.
fn cautious_step(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  let kept = select(vec4f(), m.cautious * y.step, signs_of(y.step) * signs_of(g) > vec4f());
  y.step = select(select(kept, g, nan_in(g)), y.step, nan_in(y.step));
  return y;
}
