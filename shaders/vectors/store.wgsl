// A vector into a run of an optimizer's elements.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  let replica = position.z;
  let begin = sizes.held + replica * sizes.held_stride;
  let source = (sizes.vector * sizes.replicas + replica) * sizes.stride + sizes.first;
  let end = min((index + 1u) * sizes.chunk_length, sizes.length);
  for (var i = index * sizes.chunk_length + lane; i < end; i += workgroup_size) {
    held[begin + i] = vectors[source + i];
  }
}
