// Four hollows of equal depth; the formula and its source are in src/objectives/landscapes/himmelblau.ts.
fn roots() -> vec2f {
  return vec2f(x(0u) * x(0u) + x(1u) - 11.0, x(0u) + x(1u) * x(1u) - 7.0);
}

fn term(i: u32) -> f32 {
  let root = select(roots().y, roots().x, i == 0u);
  return root * root;
}

fn slope(i: u32) -> f32 {
  let root = roots();
  return select(2.0 * root.x + 4.0 * x(1u) * root.y, 4.0 * x(0u) * root.x + 2.0 * root.y, i == 0u);
}
