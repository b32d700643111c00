// The gradient of a batch: an invocation takes one parameter and one slice of the rows, so that even a few parameters fill the
// GPU. The sum of a single slice is the gradient; custom_join.wgsl adds up several.
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;

// index of the loss scale in the first replica's record
override loss_scale_index: u32;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // A slice takes every `slices`-th row.
  let slices = sizes.slices;
  let index = linear(position, workgroups, lane);
  let replica = position.z;
  if (index >= param_count * slices || halted(replica)) {
    return;
  }
  origin = replica * arena_stride;
  let i = index % param_count;
  let slice = index / param_count;
  var sum = 0.0;
  // 64 terms are added up before their sum is added to others.
  for (var start = slice; start < batch.count; start += 64u * slices) {
    var stretch = 0.0;
    for (var m = start; m < min(start + 64u * slices, batch.count); m += slices) {
      let row = batch.rows[m];
      let weight = weight_of(row);
      if ((bitcast<u32>(weight) << 1u) != 0u) {
        stretch += weight * gradient(row, i);
      }
    }
    sum += stretch;
  }
  if (slices == 1u) {
    let scale = bitcast<f32>(control[replica * control_stride + loss_scale_index]);
    sums[origin + place(i)] = sum * batch.inverse * scale;
  } else {
    sums[(replica * slices + slice) * param_count + i] = sum;
  }
}
