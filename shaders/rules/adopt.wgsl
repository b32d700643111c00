// ADOPT; the formula and its sources are in src/rules/adopt.ts.
override nesterov: bool = false;
override use_clipping: bool = true;

fn update(x: Cell, gradient: vec4f, h: Row) -> Cell {
  var y = x;
  let scaled = gradient / at_least(sqrt(x.v), h.eps);
  let clipped = clamp(scaled, vec4f(-h.limit), vec4f(h.limit));
  let u = select(scaled, clipped, vec4<bool>(use_clipping) & !nan_in(scaled));
  y.m = x.m + h.share * (u - x.m);
  y.v = h.beta2 * x.v + h.one_minus_beta2 * gradient * gradient;
  let direction = select(y.m, y.m + h.share * (u - y.m), nesterov);
  y.decay = h.decay * x.p;
  y.step = h.lr * direction;
  return y;
}
