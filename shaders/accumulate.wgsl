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
  let replica = position.z;
  let chunk = chunks[index];
  for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
    let inside = inside(chunk, e);
    let g = load_gradients(replica, chunk.gradients + e, inside);
    let at = replica * sum_stride + (chunk.params + e) / 4u;
    let sum = select(sums[at] + g, g, fresh);
    sums[at] = select(vec4f(), sum, inside);
  }
}
