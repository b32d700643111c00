// Writes the matrices to be orthogonalised: the rule's `prepare` of every element.
@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= arrayLength(&chunks)) {
    return;
  }
  let replica = position.z;
  let chunk = cell_chunk(replica, index);
  let h = row_of(now_of(replica), chunk.group);
  let record = replica * sizes.clip_bins;
  begin_chunk(chunk, h, lane);
  let r = scalars_of(replica, chunk.record, is_factored(chunk));
  let scale = scale_of(record + chunk.bin, h);
  // of one slot alone
  let place = 4u * replica * chunk.slot_stride + chunks[index].state;
  let length = select(chunk.length, 0u, control[record].skip == halted);
  for (var e = 4u * lane; e < length; e += 4u * workgroup_size) {
    let inside = inside(chunk, e);
    let x = prepare(load_cell(chunk, e, inside, h), gradient_of(chunk, e, inside, scale, h), h, r);
    prepared[(place + e) / 4u] = select(vec4f(), x, inside);
  }
}
