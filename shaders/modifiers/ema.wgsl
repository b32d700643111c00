// An exponential moving average of the parameters.
fn ema_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  y.ema = x.ema + h.ema * (y.p - x.ema);
  return y;
}
