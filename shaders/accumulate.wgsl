// Adds the gradients up, where several make one update: the control buffer counts how many there are, since the host does not
// know which encoders were submitted. The sum's place is the chunk's `params`.
@group(0) @binding(4) var<storage, read_write> control: array<Control>;

// Whether this is the last of a gradient's dispatches.
override advances: bool;
override barriers: bool;

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
  let own = position.z * sizes.clip_bins;
  let before = atomicLoad(&control[own].micro);
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
  if (!advances) {
    return;
  }
  // As in the update: whoever is counted out has read the count, the last one advances it.
  var last = false;
  if (barriers) {
    workgroupBarrier();
    if (lane == 0u) {
      last = atomicAdd(&control[own].arrived, 1u) == arrayLength(&chunks) - 1u;
    }
  } else {
    last = atomicAdd(&control[own].arrived, 1u) == arrayLength(&chunks) * workgroup_size - 1u;
  }
  if (last) {
    atomicStore(&control[own].arrived, 0u);
    if (before < sizes.accumulate) {
      atomicStore(&control[own].micro, before + 1u);
    } else {
      control[own].missed += 1u;
    }
  }
}
