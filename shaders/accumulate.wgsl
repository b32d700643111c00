// Adds the gradients up, where several make one update. The sum's place is the chunk's `params`.
override fresh: bool;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= arrayLength(&chunks)) {
    return;
  }
  var chunk = chunks[index];
  chunk.params += position.z * sizes.sum_stride;
  chunk.gradients += position.z * sizes.params_stride;
  for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
    let inside = inside(chunk, e);
    let g = load_gradients(chunk.gradients + e, inside);
    let at = (chunk.params + e) / 4u;
    let sum = select(sums[at] + g, g, fresh);
    sums[at] = select(vec4f(), sum, inside);
  }
}
