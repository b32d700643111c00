// Second of two kernels of a vector's norm: one workgroup per replica joins the results of its chunks in three scales. The scales
// meet only after the roots are taken: a compiler may fold two factors into one that float32 takes for 0.
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.small + b.small, a.middle + b.middle, a.large + b.large);
}

// The norm of two numbers, the first nonzero.
fn joint(first: f32, second: f32) -> f32 {
  let ratio = second / first;
  return first * sqrt(1.0 + ratio * ratio);
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let replica = position.z;
  let total = total_of(replica * sizes.partials, sizes.partials, lane);
  if (lane == 0u) {
    let small = sqrt(total.small) * 0x1p-80f;
    let middle = sqrt(total.middle);
    let large = sqrt(total.large);
    var norm = small;
    if (bitcast<u32>(large) != 0u) {
      norm = joint(large, middle * 0x1p-88f) * 0x1p+88f;
    } else if (bitcast<u32>(middle) != 0u) {
      // NaN has other bits than 0.
      norm = joint(middle, small);
    }
    scalars[sizes.into * sizes.replicas + replica] = norm;
  }
}
