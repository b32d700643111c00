// Plains between steep walls; the formula and its source are in src/objectives/landscapes/beale.ts.
const targets = vec3f(1.5, 2.25, 2.625);

fn powers(y: f32) -> vec3f {
  return vec3f(y, y * y, y * y * y);
}

// The terms before squaring.
fn roots() -> vec3f {
  return targets - x(0u) * (1.0 - powers(x(1u)));
}

fn term(i: u32) -> f32 {
  let root = roots();
  return select(root.z * root.z, root.x * root.x + root.y * root.y, i == 0u);
}

fn slope(i: u32) -> f32 {
  let y = x(1u);
  let by_x = powers(y) - 1.0;
  let by_y = x(0u) * vec3f(1.0, 2.0 * y, 3.0 * y * y);
  return 2.0 * dot(roots(), select(by_y, by_x, i == 0u));
}
