// Second kernel of the gradient's norm: one workgroup for each replica merges the partials in a fixed order and writes what
// the update needs: the scales, and whether to skip. It also adapts the loss scale.
override clip: bool;
override skip_non_finite: bool;
override loss_scaling: bool;

// The clipping of a gradient of this norm, as two factors: their product can be below float32's range.
fn clip_of(norm: vec2f, peak: u32) -> vec2f {
  if (!clip) {
    return vec2f(1.0);
  }
  // As in torch: an infinite norm scales everything to 0 (and infinity to NaN), a NaN norm to NaN.
  if (peak >= infinite) {
    return vec2f(select(0.0, norm.x, peak > infinite), 1.0);
  }
  let large_norm = norm.y > 1.0;
  let most = sizes.max_norm * select(1.0, down, large_norm);
  let least = norm.x + select(1e-6, 0.0, large_norm);
  return select(vec2f(sizes.max_norm / least, select(1.0, down, large_norm)), vec2f(1.0), least <= most);
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let replica = position.x;
  let now = now_of(replica);
  let record = now.record;
  let idle = now.skip == halted || control[record].underflow != 0u || !now.has_row || !now.full;
  let scale = control[record].loss_scale;
  // usually a power of two, so that this is exact
  let unscale = select(1.0, 1.0 / scale, loss_scaling);
  var all = Sum();
  for (var b = 0u; b < sizes.clip_bins; b++) {
    let bin = bins[b];
    let total = total_of(replica * sizes.partial_count + bin.first, select(bin.count, 0u, idle), lane);
    all = add_sums(all, total);
    if (lane == 0u && !idle) {
      let norm = norm_of(total, unscale * sizes.mean);
      let clipped = clip_of(norm, total.peak);
      control[record + b].norm = norm.x;
      control[record + b].norm_power = norm.y;
      control[record + b].scale = clipped.x;
      control[record + b].shrink = unscale * clipped.y;
    }
  }
  if (lane != 0u) {
    return;
  }
  if (idle) {
    // resuming a replica does not undo its underflow
    control[record].skip = max(control[record].skip, 1u);
    return;
  }
  let norm = norm_of(all, unscale * sizes.mean);
  control[record].gradient_norm = norm.x;
  control[record].gradient_power = norm.y;
  if (skip_non_finite && all.peak >= infinite) {
    control[record].skip = 1u;
    control[record].skipped += 1u;
    control[record].good_steps = 0u;
    if (loss_scaling) {
      let lower = scale * sizes.backoff;
      control[record].loss_scale = select(lower, scale, lower < sizes.least_scale);
      if (lower < sizes.least_scale) {
        control[record].underflow = 1u;
      }
    }
    return;
  }
  control[record].skip = 0u;
  let clipped = select(vec2f(1.0), clip_of(norm, all.peak), sizes.clip_bins == 1u);
  control[record].clip_scale = clipped.x;
  control[record].clip_power = clipped.y;
  let good = control[record].good_steps + 1u;
  let grows = loss_scaling && good >= sizes.interval;
  control[record].good_steps = select(good, 0u, grows);
  if (grows && scale * sizes.growth <= 0x1p+126f) {
    control[record].loss_scale = scale * sizes.growth;
  }
}
