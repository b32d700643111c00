// First of two kernels of a vector's norm: each workgroup takes one chunk, in a fixed order. Squares of float32 leave its range
// above 1.8e19 and below 1e-19, so elements are squared in one of three scales (Blue 1978).

// Long chains of additions lose digits: a lane adds up this many terms before it adds their sum to others.
const terms_at_once = 16u;

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.small + b.small, a.middle + b.middle, a.large + b.large);
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= sizes.chunks) {
    return;
  }
  let replica = position.z;
  let begin = index * sizes.chunk_length;
  let end = min(begin + sizes.chunk_length, sizes.stride);
  let first_quad = (sizes.x * sizes.replicas + replica) * sizes.stride;
  let stretch = terms_at_once * workgroup_size;
  let none = vec4f();
  var total = Sum();
  for (var first = begin + lane; first < end; first += stretch) {
    let last = min(first + stretch, end);
    var part = Sum();
    for (var i = first; i < last; i += workgroup_size) {
      let value = x[first_quad + i];
      // By bits: below 2^-48, or above 2^48. NaN is neither.
      let size = bitcast<vec4u>(value) & vec4u(0x7fffffffu);
      let is_small = size < vec4u(0x27800000u);
      let is_large = (size > vec4u(0x57800000u)) & (size <= vec4u(0x7f800000u));
      let middle = select(value, none, is_small | is_large);
      part.middle += dot(middle, middle);
      let small = select(none, value * 0x1p+80f, is_small);
      part.small += dot(small, small);
      let large = select(none, value * 0x1p-88f, is_large);
      part.large += dot(large, large);
    }
    total = add_sums(total, part);
  }
  let chunk = joined(lane, total);
  if (!barriers || lane == 0u) {
    let lanes_filed = select(workgroup_size, 1u, barriers);
    partials[(replica * sizes.chunks + index) * lanes_filed + select(lane, 0u, barriers)] = chunk;
  }
}
