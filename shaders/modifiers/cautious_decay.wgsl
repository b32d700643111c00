// Takes the decay back where it pulls the other way than the update (Chen et al. 2025). A step smaller than the parameter's own
// rounding counts as none: compilers may fuse a product with a sum, which rounds differently.
fn cautious_decay_update(x: Cell, updated: Cell, g: vec4f, h: Row, m: Modified) -> Cell {
  var y = updated;
  let step = kept_by(x, h) - y.p;
  y.p = select(y.p, x.p - step, (sign(step) * sign(x.p) < vec4f()) & (abs(step) > 0x1p-22f * abs(x.p)));
  return y;
}
