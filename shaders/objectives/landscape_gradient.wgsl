// After join.wgsl: the gradient of every point, and the sum of the terms of all of them, in one pass over the coordinates: one
// workgroup per chunk, each coordinate with its own slope and term, so that one point of a million coordinates is as parallel as a
// million points. The gradient is that of the loss times the optimizer's loss scale; a halted replica keeps its gradient, and meets
// the barriers, as in total.wgsl.
@group(0) @binding(2) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<Sum>;
// the optimizer's control buffer
@group(0) @binding(4) var<storage, read> control: array<u32>;

override chunk_length: u32;
override control_stride: u32;
// index of `skip` in the first replica's record; it is 2 while the replica is halted
override skip_index: u32;
// index of its loss scale
override loss_scale_index: u32;
// index of its count of updates
override step_index: u32;
// whether gradients are written, or losses alone are summed
override derive: bool;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = index_of(position, workgroups);
  let chunks = (setting.length - 1u) / chunk_length + 1u;
  let replica = position.z;
  if (chunk >= chunks) {
    return;
  }
  let keeps = control[replica * control_stride + skip_index] == 2u;
  let scale = bitcast<f32>(control[replica * control_stride + loss_scale_index]);
  step = control[replica * control_stride + step_index];
  let first_point = replica * setting.stride + setting.points_first;
  let first_gradient = replica * setting.stride + setting.gradients_first;
  let end = select(min((chunk + 1u) * chunk_length, setting.length), 0u, keeps);
  var sum = Sum();
  for (var e = chunk * chunk_length + lane; e < end; e += workgroup_size) {
    let i = e % setting.dimension;
    origin = first_point + e - i;
    sum.value += term(i);
    if (derive) {
      gradients[first_gradient + e] = scale * slope(i);
    }
  }
  let total = joined(lane, sum);
  let partial = replica * chunks + chunk;
  if (!keeps && !barriers) {
    partials[partial * workgroup_size + lane] = total;
  } else if (!keeps && lane == 0u) {
    partials[partial] = total;
  }
}
