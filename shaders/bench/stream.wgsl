// Reads parameters, gradients and slots, and writes parameters and slots: an update's bytes with one addition per element, a
// lower bound on the time of any update.
override workgroup_size: u32;
// Vec4s per lane, interleaved with the other lanes'.
override each: u32;
override slots: u32;

@group(0) @binding(0) var<storage, read_write> params: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
// Slot after slot, each as long as the parameters.
@group(0) @binding(2) var<storage, read_write> state: array<vec4f>;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let length = arrayLength(&gradients);
  let begin = (position.y * workgroups.x + position.x) * workgroup_size * each;
  let end = min(begin + workgroup_size * each, length);
  for (var i = begin + lane; i < end; i += workgroup_size) {
    let g = gradients[i];
    params[i] += g;
    if (slots > 0u) {
      state[i] += g;
    }
    if (slots > 1u) {
      state[length + i] += g;
    }
    for (var slot = 2u; slot < slots; slot++) {
      state[slot * length + i] += g;
    }
  }
}
