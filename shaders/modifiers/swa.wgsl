// A plain mean of parameters along the way (Izmailov et al. 2018); in between, parameters that are not finite leave it alone.
fn swa_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  y.swa = select(x.swa, x.swa + h.swa * (y.p - x.swa), h.swa > 0.0);
  return y;
}
