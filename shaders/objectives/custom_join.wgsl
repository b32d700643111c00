// After join.wgsl: adds up the slices of each parameter's gradient, one workgroup per parameter. A halted replica meets the barriers
// too, as in total.wgsl.
struct Sizes {
  slices: u32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> batch: Batch;
@group(0) @binding(2) var<storage, read> control: array<u32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

override loss_scale_index: u32;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = index_of(position, workgroups);
  let replica = position.z;
  if (i >= param_count) {
    return;
  }
  let keeps = halted(replica);
  let slices = select(sizes.slices, 0u, keeps);
  var sum = Sum();
  for (var slice = lane; slice < slices; slice += workgroup_size) {
    sum.value += sums[(replica * sizes.slices + slice) * param_count + i];
  }
  let total = joined(lane, sum);
  if (lane == 0u && !keeps) {
    let scale = bitcast<f32>(control[replica * control_stride + loss_scale_index]);
    gradients[replica * arena_stride + place(i)] = total.value * batch.inverse * scale;
  }
}
