// Second kernel of a reduction: one workgroup for each tensor (or one for all of them) merges the partials of its chunks in
// a fixed order and makes of them the scalars that the update reads.
struct Bin {
  // its first partial, and how many there are
  first: u32,
  count: u32,
  group: u32,
  record: u32,
  // 1: of a tensor with a factored slot
  factored: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<Sum>;
@group(0) @binding(4) var<storage, read> bins: array<Bin>;

const stretch = 64u;

var<workgroup> lanes: array<Sum, workgroup_size>;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= arrayLength(&bins)) {
    return;
  }
  let replica = position.z;
  let bin = bins[index];
  // As in finalize: 64 partials are added up before their sum is added to others, and 64 of these again.
  let short = stretch * workgroup_size;
  let long = stretch * short;
  let begin = replica * sizes.partial_count + bin.first;
  var total = Sum();
  for (var first = lane; first < bin.count; first += long) {
    let last = min(first + long, bin.count);
    var middle = Sum();
    for (var start = first; start < last; start += short) {
      let end = min(start + short, last);
      var part = Sum();
      for (var i = start; i < end; i += workgroup_size) {
        part = add_sums(part, partials[begin + i]);
      }
      middle = add_sums(middle, part);
    }
    total = add_sums(total, middle);
  }
  // Where a barrier is emulated one lane does it all.
  if (barriers) {
    lanes[lane] = total;
    workgroupBarrier();
    for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
      if (lane < half) {
        lanes[lane] = add_sums(lanes[lane], lanes[lane + half]);
      }
      workgroupBarrier();
    }
    total = lanes[0];
  }
  if (lane != 0u || rests(replica)) {
    return;
  }
  conclude_bin(replica, bin.record, bin.factored != 0u, total, row_of(replica, bin.group));
}
