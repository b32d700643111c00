// The mean loss of a batch from the sums of its micro-batches, into a scalar of a vector space; NaN for a halted replica.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) position: vec3u) {
  let replica = position.x;
  if (replica >= sizes.replicas) {
    return;
  }
  let its = sizes.first_replica + replica;
  var sum = 0.0;
  for (var i = 0u; i < sizes.micro_batches; i++) {
    sum += totals[2u * (i * sizes.all_replicas + its)];
  }
  var loss = sum * sizes.scale;
  if (sizes.has_penalty != 0u) {
    loss += totals[2u * (sizes.records * sizes.all_replicas + its)];
  }
  let halted = control[sizes.skip + replica * sizes.control_stride] == 2u;
  scalars[sizes.into * sizes.replicas + replica] = select(loss, bitcast<f32>(sizes.nan), halted);
}
