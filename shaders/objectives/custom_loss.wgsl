// The losses of a batch, each with its weight: one invocation per example.
@group(0) @binding(7) var<storage, read_write> outcomes: array<Outcome>;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let m = linear(position, workgroups, lane);
  let replica = position.z;
  if (m >= batch.count || halted(replica)) {
    return;
  }
  origin = replica * arena_stride;
  let row = batch.rows[m];
  let weight = weight_of(row);
  var weighted = 0.0;
  // An example of weight 0 does not count, even if its loss is infinite.
  if ((bitcast<u32>(weight) << 1u) != 0u) {
    weighted = weight * loss(row);
  }
  outcomes[replica * sizes.capacity + m] = Outcome(weighted, 0.0);
}
