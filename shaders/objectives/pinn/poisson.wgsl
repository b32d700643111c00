// Poisson's equation; src/objectives/problems/poisson.ts has the formula and its source.
fn left(x: vec2f, u: Jet) -> f32 {
  return -(u.dd.x + u.dd.y);
}

fn slopes(x: vec2f, u: Jet) -> Jet {
  return Jet(0.0, vec2f(), vec2f(-1.0));
}
