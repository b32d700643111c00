// A run of an optimizer's elements into a vector, if wanted without the loss scale, and NaN for a halted replica.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  let replica = position.z;
  let source = sizes.held + replica * sizes.held_stride;
  let begin = (sizes.vector * sizes.replicas + replica) * sizes.stride + sizes.first;
  let record = replica * sizes.control_stride;
  let is_gradient = sizes.is_gradient != 0u;
  let halted = is_gradient && control[sizes.skip + record] == 2u;
  let scale = select(1.0, bitcast<f32>(control[sizes.loss_scale + record]), is_gradient);
  let end = min((index + 1u) * sizes.chunk_length, sizes.length);
  for (var i = index * sizes.chunk_length + lane; i < end; i += workgroup_size) {
    vectors[begin + i] = select(held[source + i] / scale, bitcast<f32>(sizes.nan), halted);
  }
}
