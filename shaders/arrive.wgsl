// The last invocation of a dispatch advances the step, which saves a dispatch: by the time the count is full, every read of what
// changes then has been made. The barrier is the one for storage, where these reads and the count are.
fn arrives_last(record: u32, lane: u32, workgroups: u32) -> bool {
  var last = false;
  if (barriers) {
    storageBarrier();
    if (lane == 0u) {
      last = atomicAdd(&control[record].arrived, 1u) == workgroups - 1u;
    }
  } else {
    last = atomicAdd(&control[record].arrived, 1u) == workgroups * workgroup_size - 1u;
  }
  if (last) {
    atomicStore(&control[record].arrived, 0u);
  }
  return last;
}
