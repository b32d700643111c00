// Second of two kernels for the size of a vector's elements: one workgroup per replica joins the results of its chunks.
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.sum + b.sum, max(a.largest, b.largest));
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let replica = position.z;
  let total = total_of(replica * sizes.partials, sizes.partials, lane);
  if (lane == 0u) {
    scalars[sizes.into * sizes.replicas + replica] = total.sum;
    scalars[(sizes.into + 1u) * sizes.replicas + replica] = total.largest;
  }
}
