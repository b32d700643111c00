// Each point's own loss, in pieces of so many terms as one lane adds up; the host adds the pieces of a point.
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;

override workgroup_size: u32;
override piece_length: u32;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (position.y * workgroups.x + position.x) * workgroup_size + lane;
  let pieces = (setting.dimension - 1u) / piece_length + 1u;
  let point = index / pieces;
  if (point >= setting.length / setting.dimension) {
    return;
  }
  origin = setting.points_first + point * setting.dimension;
  let begin = (index % pieces) * piece_length;
  var sum = 0.0;
  for (var i = begin; i < min(begin + piece_length, setting.dimension); i++) {
    sum += term(i);
  }
  losses[index] = sum;
}
