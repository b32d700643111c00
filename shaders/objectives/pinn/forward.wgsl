// An activation over stacked derivatives: turns its input z and z's derivatives into f(z), f'·z' and f''·z'² + f'·z''.
@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear(position, workgroups, lane);
  let replica = position.z;
  if (index >= sizes.values || halted(replica)) {
    return;
  }
  let origin = replica * sizes.stride;
  let z = before[origin + index];
  matrix[origin + index] = activate(z);
  if (index >= sizes.points) {
    return;
  }
  let f = derivatives(z);
  for (var i = 0u; i < sizes.dimensions; i++) {
    let once = origin + sizes.values + i * sizes.points + index;
    let twice = once + sizes.dimensions * sizes.points;
    let z1 = before[once];
    matrix[once] = f.first * z1;
    matrix[twice] = f.second * z1 * z1 + f.first * before[twice];
  }
}
