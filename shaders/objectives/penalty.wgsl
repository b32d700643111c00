// The L2 term of one weight matrix: adds its derivative to the gradient, times the optimizer's loss scale, and sums the
// squares. An invocation takes a stretch of weights; total.wgsl adds the stretches up.
struct Sizes {
  length: u32,
  // from one replica's matrix to the next one
  params_stride: u32,
  gradients_stride: u32,
  // index of the matrix's first outcome, and outcomes per replica
  first: u32,
  capacity: u32,
  loss_scale_index: u32,
  l2: f32,
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> outcomes: array<Outcome>;
@group(0) @binding(3) var<storage, read> control: array<u32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

// weights per invocation
override stretch: u32;
// If false, the gradient is left alone.
override derive: bool;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear(position, workgroups, lane);
  let replica = position.z;
  if (index * stretch >= sizes.length || halted(replica)) {
    return;
  }
  let scale = sizes.l2 * bitcast<f32>(control[replica * control_stride + sizes.loss_scale_index]);
  let end = min((index + 1u) * stretch, sizes.length);
  var sum = 0.0;
  for (var i = index * stretch; i < end; i++) {
    let value = weight[replica * sizes.params_stride + i];
    sum += value * value;
    if (derive) {
      gradient[replica * sizes.gradients_stride + i] += scale * value;
    }
  }
  outcomes[replica * sizes.capacity + sizes.first + index] = Outcome(0.5 * sizes.l2 * sum, 0.0);
}
