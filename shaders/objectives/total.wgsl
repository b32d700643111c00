// After shaders/total.wgsl: sums outcomes of each replica, one workgroup per replica. A halted replica has no outcomes and keeps its
// total; it meets the barriers all the same, since some compilers refuse barriers that depend on loaded values.
struct Sizes {
  // outcomes of a replica; those past the batch's count are void
  capacity: u32,
  // index of the first replica's total
  first: u32,
}

alias Sum = Outcome;

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> partials: array<Outcome>;
@group(0) @binding(2) var<storage, read_write> totals: array<Outcome>;
@group(0) @binding(3) var<storage, read> control: array<u32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

fn add_sums(a: Outcome, b: Outcome) -> Outcome {
  return Outcome(a.loss + b.loss, a.hit + b.hit);
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) position: vec3u, @builtin(local_invocation_index) lane: u32) {
  let replica = position.z;
  let keeps = halted(replica);
  let total = total_of(replica * sizes.capacity, select(batch.count, 0u, keeps), lane);
  if (lane == 0u && !keeps) {
    totals[sizes.first + replica] = total;
  }
}
