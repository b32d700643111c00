// Second kernel of a reduction: one workgroup for each tensor (or one for all of them) merges the partials of its chunks in a
// fixed order; the user's `conclude_bin` turns them into the scalars that the update reads.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= arrayLength(&bins)) {
    return;
  }
  let replica = position.z;
  let bin = bins[index];
  let total = total_of(replica * sizes.partial_count + bin.first, bin.count, lane);
  let now = now_of(replica);
  if (lane != 0u || rests(now)) {
    return;
  }
  conclude_bin(replica, bin.record, bin.factored != 0u, total, row_of(now, bin.group));
}
