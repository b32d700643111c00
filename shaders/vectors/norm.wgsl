// The sum of a 2-norm, behind norm_sum.wgsl, whose two scales keep squares from overflowing.
fn term(a: f32, b: f32) -> Sum {
  let scaled = a * down;
  return Sum(a * a, scaled * scaled, bitcast<u32>(a) & 0x7fffffffu);
}

// One of the two scales counts.
fn settled(sum: Sum) -> Sum {
  let exceeds = sum.peak > large;
  return Sum(select(sum.sum, 0.0, exceeds), select(0.0, sum.scaled_sum, exceeds), sum.peak);
}

fn result_of(total: Sum) -> f32 {
  let norm = norm_of(total, 1.0);
  return norm.x * norm.y;
}
