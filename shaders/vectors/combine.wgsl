// y := keep·y + times·Σ c·x, chunk by chunk, added up in the order of the vectors. A vector with factor 0 does not count, even if
// it is infinite; the factor's bits are compared, since a comparison may miss NaN.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  let replica = position.z;
  let y_first = (sizes.y * sizes.replicas + replica) * sizes.stride;
  let apart = sizes.replicas * sizes.stride;
  let x_first = (sizes.x * sizes.replicas + replica) * sizes.stride;
  let c_first = sizes.factor + replica * sizes.factor_replica;
  let end = min((index + 1u) * sizes.chunk_length, sizes.stride);
  for (var i = index * sizes.chunk_length + lane; i < end; i += workgroup_size) {
    var sum = vec4f();
    if ((bitcast<u32>(sizes.keep) << 1u) != 0u) {
      sum = sizes.keep * y[y_first + i];
    }
    for (var v = 0u; v < sizes.count; v++) {
      let c = sizes.times * factors[c_first + v * sizes.factor_step];
      if ((bitcast<u32>(c) << 1u) != 0u) {
        sum += c * x_at(x_first + v * apart + i);
      }
    }
    y[y_first + i] = sum;
  }
}
