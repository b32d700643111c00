// A partial norm: a sum of squares and the bits of the largest magnitude in it. Shared by grad_norm and finalize.
struct Partial {
  // of g·g, or of (g·2^-80)² where the peak is above 2^50
  sum: f32,
  peak: u32,
}

// the bits of 2^50, of infinity; and 2^-80
const large: u32 = 0x58800000u;
const infinite: u32 = 0x7f800000u;
const down: f32 = 0x1p-80f;

fn merge(a: Partial, b: Partial) -> Partial {
  let peak = max(a.peak, b.peak);
  if (peak > large) {
    let a_sum = select(a.sum * down * down, a.sum, a.peak > large);
    let b_sum = select(b.sum * down * down, b.sum, b.peak > large);
    return Partial(a_sum + b_sum, peak);
  }
  return Partial(a.sum + b.sum, peak);
}
