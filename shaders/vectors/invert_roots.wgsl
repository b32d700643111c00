// y := 1 / √(√(scale·y) + epsilon), element by element, chunk by chunk.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  let y_first = (sizes.y * sizes.replicas + position.z) * sizes.stride;
  let end = min((index + 1u) * sizes.chunk_length, sizes.stride);
  for (var i = index * sizes.chunk_length + lane; i < end; i += workgroup_size) {
    y[y_first + i] = 1.0 / sqrt(sqrt(sizes.scale * y[y_first + i]) + sizes.epsilon);
  }
}
