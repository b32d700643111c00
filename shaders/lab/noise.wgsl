// Noise of mean 0 and variance 1 for each coordinate and step, from the seed in `setting`; its twin is
// src/lab/experiments/noise.ts.
fn drawn(i: u32) -> f32 {
  let key = vec2u(
    u32(setting.seed_0) | (u32(setting.seed_1) << 16u),
    u32(setting.seed_2) | (u32(setting.seed_3) << 16u),
  );
  let word = philox(vec4u(i / 4u, step, 0u, 0u), key)[i % 4u];
  return 2.4494897 * (f32((word & 0xffffu) + (word >> 16u) + 1u) / 65536.0 - 1.0);
}
