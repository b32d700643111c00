// First of two kernels of the gradient's norm: one workgroup sums the squares of one chunk, in a fixed order, so the
// result is the same to the bit in every run. What is frozen counts as zero.
@group(0) @binding(0) var<storage, read_write> partials: array<Partial>;

var<workgroup> lanes: array<Partial, workgroup_size>;

fn magnitude_bits(x: vec4f) -> vec4u {
  return bitcast<vec4u>(x) & vec4u(0x7fffffffu);
}

// Four of the gradient, without what a caller's kernel may have left in the padding behind a tensor.
fn own(chunk: Chunk, e: u32) -> vec4f {
  let inside = inside(chunk, e);
  return select(vec4f(), load_gradients(chunk.gradients + e, inside), inside);
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= arrayLength(&chunks)) {
    return;
  }
  let replica = position.z;
  let chunk = chunk_of(replica, index);
  let h = row_of(replica, chunk.group);
  var partial = Partial();
  if (h.frozen == 0.0 && control[replica * sizes.clip_bins].skip != halted) {
    var sums = vec4f();
    var peaks = vec4u();
    for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
      let g = own(chunk, e);
      sums += select(g * g, abs(g), norm_kind == 1u);
      peaks = max(peaks, magnitude_bits(g));
    }
    partial = Partial((sums.x + sums.y) + (sums.z + sums.w), 0.0, max(max(peaks.x, peaks.y), max(peaks.z, peaks.w)));
    if (partial.peak > large) {
      sums = vec4f();
      for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        let g = own(chunk, e) * down;
        sums += select(g * g, abs(g), norm_kind == 1u);
      }
      partial = Partial(0.0, (sums.x + sums.y) + (sums.z + sums.w), partial.peak);
    }
  }
  if (!barriers) {
    partials[(replica * sizes.chunk_total + chunk.id) * workgroup_size + lane] = partial;
    return;
  }
  lanes[lane] = partial;
  workgroupBarrier();
  for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] = merge(lanes[lane], lanes[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    partials[replica * sizes.chunk_total + chunk.id] = lanes[0];
  }
}
