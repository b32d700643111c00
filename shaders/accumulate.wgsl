// Adds the gradients up, where several make one update: the control buffer counts them, since the host does not know which
// encoders were submitted. The sum's place is the chunk's `params`.

// Whether this is the last of a gradient's dispatches.
override advances: bool;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= arrayLength(&chunks)) {
    return;
  }
  let chunk = chunks[index];
  let record = position.z * sizes.clip_bins;
  let before = atomicLoad(&control[record].micro);
  let sum_first = (chunk.params + position.z * sizes.sum_stride) / 4u;
  let first = (chunk.gradients + position.z * sizes.params_stride) / entry_length;
  if (before == 0u) {
    for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
      let inside = inside(chunk, e);
      sums[sum_first + e / 4u] = select(vec4f(), load_gradients(first, e, inside), inside);
    }
  } else if (before < sizes.accumulate) {
    for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
      let inside = inside(chunk, e);
      let at = sum_first + e / 4u;
      sums[at] = select(vec4f(), sums[at] + load_gradients(first, e, inside), inside);
    }
  }
  if (!advances || !arrives_last(record, lane, arrayLength(&chunks))) {
    return;
  }
  if (before < sizes.accumulate) {
    atomicStore(&control[record].micro, before + 1u);
  } else {
    control[record].missed += 1u;
  }
}
