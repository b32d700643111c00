// After join.wgsl, in a kernel that sums chunk by chunk: stores a chunk's sum; without barriers, each lane's.
fn store_sum(place: u32, lane: u32, sum: Sum) {
  store_joined(place, lane, joined(lane, sum));
}

fn store_joined(place: u32, lane: u32, total: Sum) {
  if (!barriers) {
    partials[place * workgroup_size + lane] = total;
  } else if (lane == 0u) {
    partials[place] = total;
  }
}
