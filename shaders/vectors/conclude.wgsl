// Second of two kernels of sums: one workgroup for each vector and replica adds up the sums of its chunks. The file before this one
// says how many `results` of the total become scalars.
@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = position.x;
  let replica = position.z;
  let total = total_of((replica * sizes.count + vector) * sizes.partials, sizes.partials, lane);
  if (lane == 0u) {
    let found = results(total);
    for (var i = 0u; i < result_count; i++) {
      scalars[(sizes.into + vector + i) * sizes.replicas + replica] = found[i];
    }
  }
}
