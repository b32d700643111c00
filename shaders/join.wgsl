// Joins the sums of a workgroup's lanes in a fixed order. The files around this one define Sum and `add_sums`.
var<workgroup> lanes: array<Sum, workgroup_size>;

// Called by all lanes together; without barriers each keeps its own.
fn joined(lane: u32, sum: Sum) -> Sum {
  if (!barriers) {
    return sum;
  }
  // The previous join has been read.
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
