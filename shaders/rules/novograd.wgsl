// NovoGrad; the formula and its sources are in src/rules/novograd.ts.
fn measure(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Sums {
  return Sums(gradient * gradient);
}

fn conclude(s: Totals, r: Scalars, h: Row) -> Scalars {
  return Scalars(h.share * s.squares + h.kept * r.v);
}

fn update(x: Cell, gradient: vec4f, h: Row, r: Scalars) -> Cell {
  var y = x;
  y.m = h.beta1 * x.m + (gradient / (sqrt(r.v + h.eps_root) + h.eps) + h.weight_decay * x.p);
  y.step = h.lr * y.m;
  return y;
}
