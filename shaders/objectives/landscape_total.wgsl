// After shaders/total.wgsl: adds up the sums of the gradient's workgroups, one workgroup per replica. A halted replica keeps its last
// sum. After each sum comes a 0, the hits, which points do not have.
@group(0) @binding(0) var<storage, read> partials: array<Sum>;
@group(0) @binding(1) var<storage, read_write> totals: array<vec2f>;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let count = arrayLength(&partials) / workgroups.z;
  let total = total_of(position.z * count, count, lane);
  if (lane == 0u) {
    totals[position.z] = vec2f(total.value, 0.0);
  }
}
