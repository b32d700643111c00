// The sum of a norm, shared by grad_norm and finalize. Squares of float32 overflow above 1.8e19, so elements are summed in
// one of two scales (Blue 1978); the two sums meet only after their roots are taken.

// 1, 2, or 0 for the largest magnitude
override norm_kind: u32;

// the bits of 2^50, of its square and of infinity
const large: u32 = 0x58800000u;
const large_square: u32 = 0x71800000u;
const infinite: u32 = 0x7f800000u;
const down: f32 = 0x1p-80f;
const up: f32 = 0x1p+80f;

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.sum + b.sum, a.scaled_sum + b.scaled_sum, max(a.peak, b.peak));
}

// The norm times a factor, as a number and the power of two to multiply it by: the norm can exceed float32's range, and so can
// its terms.
fn norm_of(total: Sum, factor: f32) -> vec2f {
  if (total.peak >= infinite) {
    // infinity, or NaN
    return vec2f(bitcast<f32>(total.peak), 1.0);
  }
  var low = total.sum;
  var high = total.scaled_sum;
  if (norm_kind == 2u) {
    low = sqrt(low);
    high = sqrt(high);
  } else if (norm_kind == 0u) {
    let peak = bitcast<f32>(total.peak);
    low = select(0.0, peak, total.peak <= large);
    high = select(peak * down, 0.0, total.peak <= large);
  }
  low *= factor;
  if (high == 0.0) {
    return vec2f(low, 1.0);
  }
  let whole = high * (factor * up);
  let fits = whole < 0x1p+60f;
  high = select(high * factor, whole, fits);
  low *= select(down, 1.0, fits);
  let power = select(up, 1.0, fits);
  if (norm_kind != 2u) {
    return vec2f(low + high, power);
  }
  let ratio = min(low, high) / max(low, high);
  return vec2f(max(low, high) * sqrt(1.0 + ratio * ratio), power);
}
