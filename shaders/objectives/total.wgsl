// Sums outcomes of each replica in a fixed order: one workgroup per replica, a tree in workgroup memory. A lane adds up 64 before
// it adds their sum to others: adapters that emulate a GPU have only one lane. A halted replica has no outcomes and keeps its
// total; it meets the barriers all the same, since some compilers refuse barriers that depend on loaded values.
struct Sizes {
  // outcomes of a replica; those past the batch's count are void
  capacity: u32,
  // index of the first replica's total
  first: u32,
}

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> outcomes: array<Outcome>;
@group(0) @binding(2) var<storage, read_write> totals: array<Outcome>;
@group(0) @binding(3) var<storage, read> control: array<u32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

override lane_count: u32;

var<workgroup> lanes: array<Outcome, lane_count>;

fn add(a: Outcome, b: Outcome) -> Outcome {
  return Outcome(a.loss + b.loss, a.hit + b.hit);
}

@compute @workgroup_size(lane_count)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let replica = position.z;
  let keeps = halted(replica);
  let count = select(batch.count, 0u, keeps);
  let first = replica * sizes.capacity;
  var sum = Outcome(0.0, 0.0);
  for (var start = lane; start < count; start += 64u * lane_count) {
    var stretch = Outcome(0.0, 0.0);
    for (var i = start; i < min(start + 64u * lane_count, count); i += lane_count) {
      stretch = add(stretch, outcomes[first + i]);
    }
    sum = add(sum, stretch);
  }
  if (lane_count > 1u) {
    lanes[lane] = sum;
    workgroupBarrier();
    for (var half = lane_count / 2u; half > 0u; half /= 2u) {
      if (lane < half) {
        lanes[lane] = add(lanes[lane], lanes[lane + half]);
      }
      workgroupBarrier();
    }
    sum = lanes[0];
  }
  if (lane == 0u && !keeps) {
    totals[sizes.first + replica] = sum;
  }
}
