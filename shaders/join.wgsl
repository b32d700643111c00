// Joins what the lanes of a workgroup have summed, in a fixed order. What a Sum is, and `add_sums`, say the files around this one.
var<workgroup> lanes: array<Sum, workgroup_size>;

// Called by all lanes together; without barriers each keeps its own.
fn joined(lane: u32, sum: Sum) -> Sum {
  if (!barriers) {
    return sum;
  }
  // What was joined before has been read.
  workgroupBarrier();
  lanes[lane] = sum;
  workgroupBarrier();
  for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      lanes[lane] = add_sums(lanes[lane], lanes[lane + half]);
    }
    workgroupBarrier();
  }
  return lanes[0];
}
