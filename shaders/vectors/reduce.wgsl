// First of two kernels of a sum over whole vectors: each workgroup sums one chunk of a piece in a fixed order, so the result is
// the same to the bit in every run. What a `term` is, and what a Sum becomes, say the files before this one.

// Long chains of additions lose digits: so many terms of a lane are added up before their sum is added to others.
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
  let x_begin = sizes.x_first + replica * sizes.x_stride;
  let y_begin = sizes.y_first + replica * sizes.y_stride;
  let end = min((index + 1u) * sizes.chunk_length, sizes.length);
  var sum = Sum();
  let stretch = terms_at_once * workgroup_size;
  for (var first = index * sizes.chunk_length + lane; first < end; first += stretch) {
    let last = min(first + stretch, end);
    var part = Sum();
    for (var i = first; i < last; i += workgroup_size) {
      part = add_sums(part, term(x[x_begin + i], y[y_begin + i]));
    }
    sum = add_sums(sum, part);
  }
  file_sum(replica * sizes.total_chunks + sizes.chunks_before + index, lane, settled(sum));
}
