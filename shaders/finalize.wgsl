// Second kernel of the gradient's norm: one workgroup merges the partials in a fixed order and writes what the update
// needs: the clip scale, and whether to skip.
@group(0) @binding(0) var<storage, read> partials: array<Partial>;
@group(0) @binding(1) var<storage, read_write> control: Control;

override partial_count: u32;
override clip: bool;
override skip_non_finite: bool;

const lane_count = 256u;
// A lane adds up 64 partials before it adds their sum to the others: long chains of additions lose digits.
const stretch = 64u * lane_count;

var<workgroup> lanes: array<Partial, lane_count>;

@compute @workgroup_size(lane_count)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = Partial();
  for (var start = lane; start < partial_count; start += stretch) {
    let end = min(start + stretch, partial_count);
    var part = Partial();
    for (var i = start; i < end; i += lane_count) {
      part = merge(part, partials[i]);
    }
    total = merge(total, part);
  }
  lanes[lane] = total;
  workgroupBarrier();
  for (var half = lane_count / 2u; half > 0u; half /= 2u) {
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
  let norm = norm_of(total);
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
