// y ·= factor, chunk by chunk of a piece.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  let replica = position.z;
  let y_begin = sizes.y_first + replica * sizes.y_stride;
  let factor = sizes.times * factors[sizes.factor_first + replica * sizes.factor_stride];
  let end = min((index + 1u) * sizes.chunk_length, sizes.length);
  for (var i = index * sizes.chunk_length + lane; i < end; i += workgroup_size) {
    y[y_begin + i] *= factor;
  }
}
