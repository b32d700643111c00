// MADGRAD; the formula and its sources are in src/rules/madgrad.ts.
// WGSL's pow can be off by 1e-6 and differs between implementations. A third of the bits is within 4 % of the root; each of
// Newton's steps squares that.
fn cube_root(v: vec4f) -> vec4f {
  var r = bitcast<vec4f>(bitcast<vec4u>(v) / 3u + 709921077u);
  r -= (r - v / (r * r)) / 3.0;
  r -= (r - v / (r * r)) / 3.0;
  r -= (r - v / (r * r)) / 3.0;
  // Of 0 and infinity, by its bits, Newton's steps make NaN.
  return select(r, v, (v == vec4f()) | (bitcast<vec4u>(v) == vec4u(0x7f800000u)));
}

// s / (∛v + eps); 0 where nothing has been summed.
fn quotient(s: vec4f, v: vec4f, eps: f32) -> vec4f {
  let root = cube_root(v) + eps;
  return s / select(root, vec4f(1.0), root == vec4f());
}

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let g = gradient + h.l2 * x.p;
  // The parameter's distance from its start, without subtracting nearly equal numbers.
  let away = select(x.p - x.x0, -quotient(x.s, x.v, h.eps), h.momentum == 0.0);
  y.s = x.s + h.lambda * g;
  y.v = x.v + h.lambda * g * g;
  y.decay = h.decay * x.p;
  y.step = h.one_minus_momentum * (away + quotient(y.s, y.v, h.eps));
  return y;
}
