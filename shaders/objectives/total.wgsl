// Sums the outcomes of a batch in a fixed order: one workgroup, a tree in workgroup memory.
@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> outcomes: array<Outcome>;
@group(0) @binding(2) var<storage, read_write> totals: Outcome;

const lane_count = 64u;

var<workgroup> lanes: array<Outcome, lane_count>;

@compute @workgroup_size(lane_count)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = Outcome(0.0, 0u);
  for (var i = lane; i < batch.count; i += lane_count) {
    sum = Outcome(sum.loss + outcomes[i].loss, sum.hit + outcomes[i].hit);
  }
  lanes[lane] = sum;
  workgroupBarrier();
  for (var half = lane_count / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = lanes[lane + half];
      lanes[lane] = Outcome(lanes[lane].loss + other.loss, lanes[lane].hit + other.hit);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    totals = lanes[0];
  }
}
