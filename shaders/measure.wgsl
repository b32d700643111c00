// First of two kernels of a reduction: one workgroup sums the terms of one chunk, in a fixed order. The user of the sums defines
// the struct Terms, its sum and the `terms` of four elements, from the e-th of a chunk on.
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
  let now = now_of(replica);
  let chunk = cell_chunk(replica, index);
  let h = row_of(now, chunk.group);
  begin_chunk(chunk, h, lane);
  var sum = Sum();
  if (!rests(now) && h.frozen == 0.0) {
    let r = scalars_to_measure(replica, chunk, h);
    let scale = scale_of(now.record + chunk.bin, h);
    var total = Terms();
    if (goes_in_fours(chunk)) {
      for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        let inside = inside(chunk, e);
        let x = load_whole_cell(chunk, e, h);
        total = add_terms(total, terms(chunk, e, x, gradient_of(chunk, e, inside, scale, h), h, r), inside);
      }
    } else {
      for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        let inside = inside(chunk, e);
        let x = load_cell(chunk, e, inside, h);
        total = add_terms(total, terms(chunk, e, x, gradient_of(chunk, e, inside, scale, h), h, r), inside);
      }
    }
    sum = sum_of(total);
    if (lane == 0u) {
      sum.count = f32(chunk.length);
    }
  }
  store_sum(replica * sizes.chunk_total + chunk.id, lane, sum);
}
