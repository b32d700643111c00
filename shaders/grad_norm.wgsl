// First of two kernels of the gradient's norm: one workgroup sums the squares of one chunk, in a fixed order, so the
// result is the same to the bit in every run.
@group(0) @binding(0) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(1) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(2) var<storage, read_write> partials: array<Partial>;

override workgroup_size: u32;
override chunk_count: u32;
// Emulated GPUs spend longer on barriers than on the sums: there every lane leaves a partial of its own.
override barriers: bool;

var<workgroup> lanes: array<Partial, workgroup_size>;

fn magnitude_bits(x: vec4f) -> vec4u {
  return bitcast<vec4u>(x) & vec4u(0x7fffffffu);
}

// A vec4 of the gradient without what a caller's kernel may have left in the padding behind it.
fn own(i: u32, end: u32, inside: vec4<bool>) -> vec4f {
  if (i + 1u < end) {
    return gradients[i];
  }
  return select(vec4f(), gradients[i], inside);
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= chunk_count) {
    return;
  }
  let chunk = chunks[index];
  let first = chunk.offset / 4u;
  let end = first + (chunk.length + 3u) / 4u;
  let inside = inside_last(chunk);
  var sums = vec4f();
  var peaks = vec4u();
  for (var i = first + lane; i < end; i += workgroup_size) {
    let g = own(i, end, inside);
    sums += g * g;
    peaks = max(peaks, magnitude_bits(g));
  }
  var partial = Partial((sums.x + sums.y) + (sums.z + sums.w), 0.0, max(max(peaks.x, peaks.y), max(peaks.z, peaks.w)));
  if (partial.peak > large) {
    sums = vec4f();
    for (var i = first + lane; i < end; i += workgroup_size) {
      let g = own(i, end, inside) * down;
      sums += g * g;
    }
    partial = Partial(0.0, (sums.x + sums.y) + (sums.z + sums.w), partial.peak);
  }
  if (!barriers) {
    partials[index * workgroup_size + lane] = partial;
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
    partials[index] = lanes[0];
  }
}
