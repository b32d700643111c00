// First of two kernels for the size of a vector's elements: each workgroup takes one chunk, in a fixed order.

// Long chains of additions lose digits: a lane adds up this many terms before it adds their sum to others.
const terms_at_once = 16u;

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.sum + b.sum, max(a.largest, b.largest));
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
  var total = Sum();
  for (var first = begin + lane; first < end; first += stretch) {
    let last = min(first + stretch, end);
    var part = Sum();
    for (var i = first; i < last; i += workgroup_size) {
      let size = abs(x[first_quad + i]);
      part.sum += dot(size, vec4f(1.0));
      part.largest = max(part.largest, max(max(size.x, size.y), max(size.z, size.w)));
    }
    total = add_sums(total, part);
  }
  let chunk = joined(lane, total);
  if (!barriers || lane == 0u) {
    let lanes_filed = select(workgroup_size, 1u, barriers);
    partials[(replica * sizes.chunks + index) * lanes_filed + select(lane, 0u, barriers)] = chunk;
  }
}
