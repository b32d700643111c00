// First of two kernels of sums over a vector's elements: each workgroup takes one chunk, in a fixed order. The file before this one
// defines Sum, `add_sums` and `add_terms`.

// Long chains of additions lose digits: a lane adds up this many terms before it adds their sum to others.
const terms_at_once = 16u;

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
      part = add_terms(part, x[first_quad + i]);
    }
    total = add_sums(total, part);
  }
  store_sum(replica * sizes.chunks + index, lane, total);
}
