// A partial norm, shared by grad_norm and finalize. Squares of float32 overflow above 1.8e19, so elements are summed in
// one of two scales (Blue 1978); the two sums meet only after their roots are taken.
struct Partial {
  // Σ g², or Σ |g| for a norm of 1
  sum: f32,
  // Σ (g · 2^-80)², of the lanes in which some |g| exceeds 2^50
  scaled_sum: f32,
  // the bits of the largest |g|; those of infinity or more where one is not finite
  peak: u32,
}

// 1, 2, or 0 for the largest magnitude
override norm_kind: u32;

// the bits of 2^50 and of infinity
const large: u32 = 0x58800000u;
const infinite: u32 = 0x7f800000u;
const down: f32 = 0x1p-80f;
const up: f32 = 0x1p+80f;

fn merge(a: Partial, b: Partial) -> Partial {
  return Partial(a.sum + b.sum, a.scaled_sum + b.scaled_sum, max(a.peak, b.peak));
}

fn norm_of(total: Partial) -> f32 {
  if (total.peak >= infinite || norm_kind == 0u) {
    // infinity, or NaN, or what is asked for
    return bitcast<f32>(total.peak);
  }
  if (norm_kind == 1u) {
    return total.sum;
  }
  let low = sqrt(total.sum);
  let high = sqrt(total.scaled_sum) * up;
  if (high == 0.0) {
    return low;
  }
  let ratio = min(low, high) / max(low, high);
  return max(low, high) * sqrt(1.0 + ratio * ratio);
}
