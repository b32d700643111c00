// After join.wgsl, in a kernel that adds up the sums of chunks. Long chains of additions lose digits: 64 partials are added
// up before their sum is added to others, and 64 of these again.
const stretch = 64u;

// The sum of `count` partials from `begin` on: with barriers, in every lane; without, there is only one lane.
fn total_of(begin: u32, count: u32, lane: u32) -> Sum {
  let short = stretch * workgroup_size;
  let long = stretch * short;
  var total = Sum();
  for (var first = lane; first < count; first += long) {
    let last = min(first + long, count);
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
  return joined(lane, total);
}
