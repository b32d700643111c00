// Second of two kernels of a sum over whole vectors: one workgroup for each replica adds up the chunks' sums.
@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let replica = position.z;
  let total = total_of(replica * sizes.partial_count, sizes.partial_count, lane);
  if (lane == 0u) {
    results[sizes.first + replica * sizes.stride] = result_of(total);
  }
}
