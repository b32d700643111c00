// First of two kernels of the gradient's norm: one workgroup sums the squares of one chunk, in a fixed order, so the result is
// the same to the bit in every run. Frozen tensors count as zero.

// Long chains of additions lose digits: a lane adds up 16 vec4s before it adds their sum to others.
const stretch = 64u;

// The terms of the sum.
fn terms(g: vec4f) -> vec4f {
  return select(g * g, abs(g), norm_kind == 1u);
}

fn magnitude_bits(x: vec4f) -> vec4u {
  return bitcast<vec4u>(x) & vec4u(0x7fffffffu);
}

// Four elements of the gradient, without whatever a caller's kernel left in the padding after a tensor.
fn gradient_inside(chunk: Chunk, e: u32) -> vec4f {
  let inside = inside(chunk, e);
  return select(vec4f(), load_gradients(chunk.gradients, e, inside), inside);
}

// A lane's sums in the scale of large elements, and the bits of its largest.
struct Scaled {
  sums: vec4f,
  peaks: vec4u,
}

fn and_scaled(before: Scaled, g: vec4f) -> Scaled {
  return Scaled(before.sums + terms(g * down), max(before.peaks, magnitude_bits(g)));
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= arrayLength(&chunks)) {
    return;
  }
  let replica = position.z;
  let chunk = chunk_of(replica, index);
  let h = row_of(now_of(replica), chunk.group);
  var sum = Sum();
  if (h.frozen == 0.0 && control[replica * sizes.clip_bins].skip != halted) {
    let whole = chunk.length / 4u * 4u;
    // For the largest element no sum is needed.
    if (norm_kind != 0u) {
      var sums = vec4f();
      for (var first = 4u * lane; first < whole; first += stretch * workgroup_size) {
        let end = min(first + stretch * workgroup_size, whole);
        var part = vec4f();
        for (var e = first; e < end; e += 4u * workgroup_size) {
          part += terms(load_gradients(chunk.gradients, e, vec4<bool>(true)));
        }
        sums += part;
      }
      for (var e = whole + 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        sums += terms(gradient_inside(chunk, e));
      }
      sum.sum = (sums.x + sums.y) + (sums.z + sums.w);
    }
    // Tracking the peak of every element would double the kernel's time on an emulated GPU. Elements above 2^50, and those that
    // are not finite, show in the sum too; only then is the peak computed.
    let limit = select(large_square, large, norm_kind == 1u);
    if (norm_kind == 0u || magnitude_bits(vec4f(sum.sum)).x >= limit) {
      var scaled = Scaled();
      // Each lane looks again at the elements that it has added up, since it alone has seen that they are large.
      for (var e = 4u * lane; e < whole; e += 4u * workgroup_size) {
        scaled = and_scaled(scaled, load_gradients(chunk.gradients, e, vec4<bool>(true)));
      }
      for (var e = whole + 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        scaled = and_scaled(scaled, gradient_inside(chunk, e));
      }
      let sums = scaled.sums;
      let peaks = scaled.peaks;
      sum.peak = max(max(peaks.x, peaks.y), max(peaks.z, peaks.w));
      if (sum.peak > large) {
        sum.sum = 0.0;
        sum.scaled_sum = (sums.x + sums.y) + (sums.z + sums.w);
      }
    }
  }
  store_sum(replica * sizes.chunk_total + chunk.id, lane, sum);
}
