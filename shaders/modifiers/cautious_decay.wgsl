// Undoes the decay where it pulls against the update (Chen et al. 2025).
fn cautious_decay_step(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  let against = signs_of(y.step) * signs_of(x.p) < vec4f();
  y.p = select(y.p, x.p, against);
  y.decay = select(y.decay, vec4f(), against);
  return y;
}
