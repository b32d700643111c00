// Adds up the sums of the gradient's workgroups in a fixed order, one workgroup per replica. A lane adds up 64 before it adds
// their sum to others: adapters that emulate a GPU have only one lane. A halted replica keeps its last sum. After each sum comes
// a 0, the hits, which points do not have.
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> totals: array<vec2f>;

override lane_count: u32;

var<workgroup> lanes: array<f32, lane_count>;

@compute @workgroup_size(lane_count)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let count = arrayLength(&partials) / workgroups.z;
  let first = position.z * count;
  var sum = 0.0;
  for (var start = lane; start < count; start += 64u * lane_count) {
    var stretch = 0.0;
    for (var i = start; i < min(start + 64u * lane_count, count); i += lane_count) {
      stretch += partials[first + i];
    }
    sum += stretch;
  }
  lanes[lane] = sum;
  workgroupBarrier();
  for (var half = lane_count / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] += lanes[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    totals[position.z] = vec2f(lanes[0], 0.0);
  }
}
