// The functions with which a custom objective reads the data set: `input`, `target_of` and `label` of a row. The counts are in
// the header that src/objectives/custom.ts generates; `param` and `within` come with the driver.
struct Sizes {
  // room for this many outcomes per replica; in a probe, the number of parameters probed
  capacity: u32,
  // how many invocations share the rows of a batch for one parameter
  slices: u32,
  // 1 where inputs are bytes
  bytes: u32,
  // 1 where examples have weights
  weighted: u32,
  // the factor of inputs
  scale: f32,
}

@group(0) @binding(0) var<storage, read> data: array<u32>;
// labels, or the bits of targets
@group(0) @binding(1) var<storage, read> answers: array<u32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

fn input(row: u32, j: u32) -> f32 {
  let at = row * features + within(j, features, 2u);
  if (sizes.bytes == 1u) {
    return sizes.scale * f32(extractBits(data[at / 4u], 8u * (at % 4u), 8u));
  }
  return sizes.scale * bitcast<f32>(data[at]);
}

fn target_of(row: u32, k: u32) -> f32 {
  return bitcast<f32>(answers[row * outputs + within(k, outputs, 3u)]);
}

fn label(row: u32) -> u32 {
  return answers[row];
}
