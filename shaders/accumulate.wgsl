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
  let chunk = chunks[index];
  let sum_first = (chunk.params + position.z * sizes.sum_stride) / 4u;
  let first = (chunk.gradients + position.z * sizes.params_stride) / entry_length;
  for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
    let inside = inside(chunk, e);
    let g = load_gradients(first, e, inside);
    let at = sum_first + e / 4u;
    let sum = select(sums[at] + g, g, fresh);
    sums[at] = select(vec4f(), sum, inside);
  }
}
