// When the row says so, the parameters return part of the way to where they were (Zhang et al. 2019).
fn lookahead_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  let returns = h.lookahead >= 0.0;
  y.lookahead = select(x.lookahead, x.lookahead + h.lookahead * (y.p - x.lookahead), returns);
  y.p = select(y.p, y.lookahead, returns);
  return y;
}
