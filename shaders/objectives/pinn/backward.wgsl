// The backward pass of an activation over stacked derivatives: turns, in place, the loss's derivatives by the outputs into those
// by the inputs. The value contributes to all outputs, z' to its own and to that of z''.
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
  let f = derivatives(before[origin + index]);
  var delta = f.first * matrix[origin + index];
  if (index < sizes.points) {
    for (var i = 0u; i < sizes.dimensions; i++) {
      let once = origin + sizes.values + i * sizes.points + index;
      let twice = once + sizes.dimensions * sizes.points;
      let z1 = before[once];
      let by_once = matrix[once];
      let by_twice = matrix[twice];
      delta += f.second * z1 * by_once + (f.third * z1 * z1 + f.second * before[twice]) * by_twice;
      matrix[once] = f.first * by_once + 2.0 * f.second * z1 * by_twice;
      matrix[twice] = f.first * by_twice;
    }
  }
  matrix[origin + index] = delta;
}
