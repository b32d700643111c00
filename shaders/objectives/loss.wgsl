// A loss and its derivatives in one kernel, one invocation per example: the fragment's `judge` computes the loss of one example's
// outputs and overwrites them with their derivatives. The derivatives are those of the batch's weighted mean times the
// optimizer's loss scale; rows past the batch's count and examples of weight 0 get zeros.
struct Sizes {
  // outputs per example
  width: u32,
  capacity: u32,
  // 1 where examples have weights
  weighted: u32,
  // index of the loss scale in the first replica's record
  loss_scale_index: u32,
  // the loss's option: its label smoothing, or Huber's delta
  option: f32,
}

@group(0) @binding(0) var<storage, read> batch: Batch;
// labels, or the bits of targets, of all rows of the data set
@group(0) @binding(1) var<storage, read> answers: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;
@group(0) @binding(4) var<storage, read_write> outcomes: array<Outcome>;
@group(0) @binding(5) var<storage, read> control: array<u32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

// By bits, as in nan.wgsl.
fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear(position, workgroups, lane);
  let replica = position.z;
  if (row >= sizes.capacity || halted(replica)) {
    return;
  }
  let example = replica * sizes.capacity + row;
  let first = example * sizes.width;
  var weight = 0.0;
  if (row < batch.count) {
    weight = 1.0;
    if (sizes.weighted == 1u) {
      weight = weights[batch.rows[row]];
    }
  }
  // An example of weight 0 does not count, even if its loss and derivatives are infinite.
  if ((bitcast<u32>(weight) << 1u) == 0u) {
    for (var j = 0u; j < sizes.width; j++) {
      outputs[first + j] = 0.0;
    }
    outcomes[example] = Outcome(0.0, 0.0);
    return;
  }
  let scale = bitcast<f32>(control[replica * control_stride + sizes.loss_scale_index]);
  let found = judge(first, batch.rows[row], weight * batch.inverse * scale);
  outcomes[example] = Outcome(weight * found.loss, weight * found.hit);
}
