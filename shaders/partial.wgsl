// A partial norm, shared by grad_norm and finalize. Squares of float32 overflow above 1.8e19, so elements are summed in
// one of two scales (Blue 1978); the two sums meet only after their roots are taken.
struct Partial {
  // Σ g², or Σ |g| for a norm of 1
  sum: f32,
  // Σ (g · 2^-80)², or Σ |g · 2^-80|, of the lanes in which some |g| exceeds 2^50
  scaled_sum: f32,
  // the bits of the largest |g|; those of infinity or more where one is not finite. Where all are small and the norm is
  // not the largest magnitude it may be 0
  peak: u32,
}

// 1, 2, or 0 for the largest magnitude
override norm_kind: u32;

// the bits of 2^50, of its square and of infinity
const large: u32 = 0x58800000u;
const large_square: u32 = 0x71800000u;
const infinite: u32 = 0x7f800000u;
const down: f32 = 0x1p-80f;
const up: f32 = 0x1p+80f;

fn merge(a: Partial, b: Partial) -> Partial {
  return Partial(a.sum + b.sum, a.scaled_sum + b.scaled_sum, max(a.peak, b.peak));
}

// The norm times a factor, which is applied before the two sums meet: the norm of scaled gradients may be more than float32
// holds where that of the gradients is not.
fn norm_of(total: Partial, factor: f32) -> f32 {
  if (total.peak >= infinite) {
    // infinity, or NaN
    return bitcast<f32>(total.peak);
  }
  if (norm_kind == 0u) {
    return bitcast<f32>(total.peak) * factor;
  }
  if (norm_kind == 1u) {
    return total.sum * factor + total.scaled_sum * factor * up;
  }
  let low = sqrt(total.sum) * factor;
  let high = sqrt(total.scaled_sum) * factor * up;
  if (high == 0.0) {
    return low;
  }
  let ratio = min(low, high) / max(low, high);
  return max(low, high) * sqrt(1.0 + ratio * ratio);
}
