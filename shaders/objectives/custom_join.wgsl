// Adds up the slices of each parameter's gradient in a fixed order: one workgroup per parameter, a tree in workgroup memory.
// Adapters that emulate a GPU have only one lane. A halted replica meets the barriers too, as in total.wgsl.
struct Sizes {
  slices: u32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> batch: Batch;
@group(0) @binding(2) var<storage, read> control: array<u32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

override loss_scale_index: u32;
override lane_count: u32;

var<workgroup> shared_sums: array<f32, lane_count>;

@compute @workgroup_size(lane_count)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = position.y * workgroups.x + position.x;
  let replica = position.z;
  if (i >= param_count) {
    return;
  }
  let keeps = halted(replica);
  let slices = select(sizes.slices, 0u, keeps);
  var sum = 0.0;
  for (var slice = lane; slice < slices; slice += lane_count) {
    sum += sums[(replica * sizes.slices + slice) * param_count + i];
  }
  if (lane_count > 1u) {
    shared_sums[lane] = sum;
    workgroupBarrier();
    for (var half = lane_count / 2u; half > 0u; half /= 2u) {
      if (lane < half) {
        shared_sums[lane] += shared_sums[lane + half];
      }
      workgroupBarrier();
    }
    sum = shared_sums[0];
  }
  if (lane == 0u && !keeps) {
    let scale = bitcast<f32>(control[replica * control_stride + loss_scale_index]);
    gradients[replica * arena_stride + place(i)] = sum * batch.inverse * scale;
  }
}
