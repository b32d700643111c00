// A bowl that moves, with noise in its gradient; the formula stands in src/lab/experiments/noisy_bowl.ts.
fn away(i: u32) -> f32 {
  return x(i) - setting.drift * f32(step);
}

fn term(i: u32) -> f32 {
  return 0.5 * setting.curvature * away(i) * away(i);
}

fn slope(i: u32) -> f32 {
  let key = vec2u(
    u32(setting.seed_0) | (u32(setting.seed_1) << 16u),
    u32(setting.seed_2) | (u32(setting.seed_3) << 16u),
  );
  let word = philox(vec4u(i / 4u, step, 0u, 0u), key)[i % 4u];
  let drawn = 2.4494897 * (f32((word & 0xffffu) + (word >> 16u) + 1u) / 65536.0 - 1.0);
  return setting.curvature * away(i) + setting.noise * drawn;
}
