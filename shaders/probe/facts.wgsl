// How a device handles the numbers that WGSL leaves open, one word of bits each, in the order of probe/facts.ts. The inputs come
// from a buffer, so that no compiler can fold them.
struct Given {
  nan: f32,
  infinity: f32,
  // 2^127, 2^-126 and 2^-130
  large: f32,
  least: f32,
  tiny: f32,
  // 1 + 2^-12 and 1 + 2^-11: the square of the first is the second and 2^-24
  factor: f32,
  square: f32,
  // 2^27, 2^100 and 2^-100
  much: f32,
  up: f32,
  down: f32,
  one: f32,
  // a tiny number's bits are moved, without arithmetic
  moved: f32,
  half: f32,
  two: f32,
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> found: array<u32>;
@group(0) @binding(1) var<storage, read> given: Given;

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(1)
fn main() {
  let nan = given.nan;
  let computed = nan + given.one;
  found[0] = select(0u, 1u, is_nan(computed));
  found[1] = select(0u, 1u, nan != nan);
  found[2] = select(0u, 1u, is_nan(select(nan, 0.0, nan < 0.0)));
  found[3] = select(0u, 1u, is_nan(max(nan, given.one)));
  found[4] = select(0u, 1u, is_nan(min(given.one, nan)));
  found[5] = select(0u, 1u, is_nan(clamp(nan, -given.one, given.one)));
  found[6] = select(0u, 1u, bitcast<u32>(given.large * given.two) == 0x7f800000u);
  found[7] = select(0u, 1u, given.large * given.two > given.large);
  found[8] = select(0u, 1u, is_nan(given.infinity - given.infinity));
  let weight = given.one - given.one;
  found[9] = select(0u, 1u, is_nan(select(weight * given.infinity, 0.0, weight == 0.0)));
  found[10] = bitcast<u32>(given.moved);
  found[11] = bitcast<u32>(given.tiny + given.tiny);
  found[12] = bitcast<u32>(given.least * given.half);
  found[13] = select(0u, 1u, given.tiny > 0.0);
  found[14] = bitcast<u32>(given.one / given.tiny);
  found[15] = bitcast<u32>(sqrt(given.tiny));
  found[16] = bitcast<u32>(given.factor * given.factor - given.square);
  found[17] = bitcast<u32>((given.much + given.one) - given.much);
  // Two factors that do not change in a loop may be multiplied before it.
  var grouped = 0.0;
  for (var i = 0u; i < given.count; i++) {
    grouped += given.down * (given.down * (given.up * f32(i + 1u)));
  }
  found[18] = bitcast<u32>(grouped);
  found[19] = bitcast<u32>(exp(nan));
  found[20] = bitcast<u32>(tanh(nan));
  found[21] = bitcast<u32>(tanh(given.up));
  found[22] = bitcast<u32>(exp(-given.up));
}
