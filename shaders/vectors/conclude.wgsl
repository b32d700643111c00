// Second of two kernels of dot products: one workgroup for each vector and replica adds up the sums of its chunks.
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.value + b.value);
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = position.x;
  let replica = position.z;
  let total = total_of((replica * sizes.count + vector) * sizes.partials, sizes.partials, lane);
  if (lane == 0u) {
    scalars[(sizes.into + vector) * sizes.replicas + replica] = total.value;
  }
}
