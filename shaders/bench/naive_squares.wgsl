// A first attempt at the sum of one tensor's squares, workgroup by workgroup: strides over the tensor, then a tree in workgroup
// memory.
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

var<workgroup> lanes: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  var sum = 0.0;
  for (var i = position.x * 256u + lane; i < arrayLength(&gradients); i += workgroups.x * 256u) {
    sum += gradients[i] * gradients[i];
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
    sums[position.x] = lanes[0];
  }
}
