// First of two kernels of dot products of several vectors with one: each workgroup sums one chunk of all of them in a fixed
// order, so the results are the same to the bit in every run. Four products are taken at once while y is in registers.

// As in sum_chunks.wgsl.
const terms_at_once = 16u;

struct Sum {
  values: vec4f,
}

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.values + b.values);
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= sizes.chunks) {
    return;
  }
  let replica = position.z;
  let begin = index * sizes.chunk_length;
  let end = min(begin + sizes.chunk_length, sizes.stride);
  let y_first = (sizes.y * sizes.replicas + replica) * sizes.stride;
  let apart = sizes.replicas * sizes.stride;
  let stretch = terms_at_once * workgroup_size;
  for (var v = 0u; v < sizes.count; v += 4u) {
    let x_first = ((sizes.x + v) * sizes.replicas + replica) * sizes.stride;
    let left = sizes.count - v;
    var sum = Sum();
    for (var first = begin + lane; first < end; first += stretch) {
      let last = min(first + stretch, end);
      var part = Sum();
      for (var i = first; i < last; i += workgroup_size) {
        let b = y[y_first + i];
        part.values.x += dot(x[x_first + i], b);
        if (left > 1u) {
          part.values.y += dot(x[x_first + apart + i], b);
        }
        if (left > 2u) {
          part.values.z += dot(x[x_first + 2u * apart + i], b);
        }
        if (left > 3u) {
          part.values.w += dot(x[x_first + 3u * apart + i], b);
        }
      }
      sum = add_sums(sum, part);
    }
    let total = joined(lane, sum).values;
    if (!barriers || lane == 0u) {
      let lanes_filed = select(workgroup_size, 1u, barriers);
      for (var j = 0u; j < min(left, 4u); j++) {
        let place = (replica * sizes.count + v + j) * sizes.chunks + index;
        partials[place * lanes_filed + select(lane, 0u, barriers)] = total[j];
      }
    }
  }
}
