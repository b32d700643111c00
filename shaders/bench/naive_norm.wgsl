// The norm from the workgroups' sums, and the factor that brings the gradient down to the largest norm allowed.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> found: array<f32>;
@group(0) @binding(2) var<uniform> max_norm: f32;

var<workgroup> lanes: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < arrayLength(&sums); i += 256u) {
    sum += sums[i];
  }
  lanes[lane] = sum;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] += lanes[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    let norm = sqrt(lanes[0]);
    found[0] = norm;
    found[1] = min(1.0, max_norm / (norm + 1e-6));
  }
}
