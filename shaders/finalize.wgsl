// Second kernel of the gradient's norm: one workgroup for each replica merges the partials in a fixed order and writes what
// the update needs: the scales, and whether to skip. It also adapts the loss scale.
@group(0) @binding(0) var<storage, read> partials: array<Partial>;
// by bin of clipping: its first partial, and how many there are
@group(0) @binding(1) var<storage, read> bins: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> control: array<Control>;
@group(0) @binding(3) var<uniform> sizes: Sizes;
@group(0) @binding(4) var<storage, read> table: array<u32>;

override clip: bool;
override skip_non_finite: bool;
override loss_scaling: bool;

override workgroup_size: u32;
// Where a barrier is emulated one lane does it all: it has little to do, and a barrier takes long, to run and to compile.
override barriers: bool;

// Long chains of additions lose digits: 64 partials are added up before their sum is added to others, and 64 of these again.
const stretch = 64u;

var<workgroup> lanes: array<Partial, workgroup_size>;

// The sum of one bin, in lane 0.
fn total_of(bin: vec2u, lane: u32) -> Partial {
  let short = stretch * workgroup_size;
  let long = stretch * short;
  var total = Partial();
  for (var first = lane; first < bin.y; first += long) {
    let last = min(first + long, bin.y);
    var middle = Partial();
    for (var start = first; start < last; start += short) {
      let end = min(start + short, last);
      var part = Partial();
      for (var i = start; i < end; i += workgroup_size) {
        part = merge(part, partials[bin.x + i]);
      }
      middle = merge(middle, part);
    }
    total = merge(total, middle);
  }
  if (!barriers) {
    return total;
  }
  workgroupBarrier();
  lanes[lane] = total;
  workgroupBarrier();
  for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] = merge(lanes[lane], lanes[lane + half]);
    }
    workgroupBarrier();
  }
  return lanes[0];
}

// What clips a gradient of this norm, as two factors: one alone may be less than float32 holds.
fn clip_of(norm: vec2f, peak: u32) -> vec2f {
  if (!clip) {
    return vec2f(1.0);
  }
  // As torch: an infinite norm scales everything to 0 (and infinity to NaN), a NaN norm to NaN.
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
  let own = replica * sizes.clip_bins;
  let idle = control[own].skip == halted || control[own].underflow != 0u || !has_row(replica) || !is_full(replica);
  let scale = control[own].loss_scale;
  // powers of two as a rule, so that this is exact
  let unscale = select(1.0, 1.0 / scale, loss_scaling);
  var all = Partial();
  for (var b = 0u; b < sizes.clip_bins; b++) {
    let bin = bins[b];
    let total = total_of(vec2u(replica * sizes.partial_count + bin.x, select(bin.y, 0u, idle)), lane);
    all = merge(all, total);
    if (lane == 0u && !idle) {
      let norm = norm_of(total, unscale * sizes.mean);
      let clipped = clip_of(norm, total.peak);
      control[own + b].norm = norm.x;
      control[own + b].norm_power = norm.y;
      control[own + b].scale = clipped.x;
      control[own + b].shrink = unscale * clipped.y;
    }
  }
  if (lane != 0u) {
    return;
  }
  if (idle) {
    // resuming a replica does not undo its underflow
    control[own].skip = max(control[own].skip, 1u);
    return;
  }
  let norm = norm_of(all, unscale * sizes.mean);
  control[own].gradient_norm = norm.x;
  control[own].gradient_power = norm.y;
  if (skip_non_finite && all.peak >= infinite) {
    control[own].skip = 1u;
    control[own].skipped += 1u;
    control[own].good_steps = 0u;
    if (loss_scaling) {
      let lower = scale * sizes.backoff;
      control[own].loss_scale = select(lower, scale, lower < sizes.least_scale);
      if (lower < sizes.least_scale) {
        control[own].underflow = 1u;
      }
    }
    return;
  }
  control[own].skip = 0u;
  let clipped = select(vec2f(1.0), clip_of(norm, all.peak), sizes.clip_bins == 1u);
  control[own].clip_scale = clipped.x;
  control[own].clip_power = clipped.y;
  let good = control[own].good_steps + 1u;
  let grows = loss_scaling && good >= sizes.interval;
  control[own].good_steps = select(good, 0u, grows);
  if (grows && scale * sizes.growth <= 0x1p+126f) {
    control[own].loss_scale = scale * sizes.growth;
  }
}
