// Second kernel of the gradient's norm: one workgroup merges the partials in a fixed order and writes what the update
// needs: the clip scale, and whether to skip.
@group(0) @binding(0) var<storage, read> partials: array<Partial>;
@group(0) @binding(1) var<storage, read_write> control: Control;

override workgroup_size: u32;
override partial_count: u32;
override clip: bool;
override skip_non_finite: bool;

var<workgroup> lanes: array<Partial, workgroup_size>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = Partial(0.0, 0u);
  for (var i = lane; i < partial_count; i += workgroup_size) {
    total = merge(total, partials[i]);
  }
  lanes[lane] = total;
  workgroupBarrier();
  for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] = merge(lanes[lane], lanes[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane != 0u) {
    return;
  }
  total = lanes[0];
  let finite = total.peak < infinite;
  let up = 1.0 / down;
  // A norm that is not finite is the peak itself: infinity, or NaN.
  let root = sqrt(total.sum);
  let norm = select(bitcast<f32>(total.peak), select(root, root * up, total.peak > large), finite);
  control.gradient_norm = norm;
  if (skip_non_finite && !finite) {
    control.skip = 1u;
    control.skipped += 1u;
    return;
  }
  control.skip = 0u;
  if (clip) {
    // As torch: an infinite norm scales everything to 0 (and infinity to NaN), a NaN norm to NaN.
    let scale = min(1.0, control.max_norm / (norm + 1e-6));
    control.clip_scale = select(select(0.0, norm, total.peak > infinite), scale, finite);
  } else {
    control.clip_scale = 1.0;
  }
}
