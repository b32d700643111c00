// A plain mean of parameters along the way (Izmailov et al. 2018).
fn swa_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  y.swa = x.swa + h.swa * (y.p - x.swa);
  return y;
}
