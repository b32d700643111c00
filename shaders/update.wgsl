// The driver of every rule: one workgroup updates one chunk, and the last one to finish the last update of a step advances it.
// src/engines/stages/generate.ts generates Cell, Row and their loads and stores; its `advanced_cell` calls the rule's `update`,
// then the modifiers.

// Whether this is the last update of the step.
override advances: bool;

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
  let now = now_of(replica);
  let skip = rests(now);
  let chunk = cell_chunk(replica, index);
  let h = row_of(now, chunk.group);
  begin_chunk(chunk, h, lane);
  if (!skip && h.first != 0.0) {
    begin_slots(chunk, h, lane);
  }
  // Frozen tensors keep everything else.
  if (!skip && h.frozen == 0.0) {
    let r = scalars_of(replica, chunk.record, is_factored(chunk));
    let m = modified_of(replica, chunk.record);
    let scale = scale_of(now.record + chunk.bin, h);
    // No branch in a loop: an emulated GPU runs both sides of every one. Elements past the end of a tensor are restored afterwards.
    let behind = params_behind(chunk.params, chunk.length);
    if (goes_in_fours(chunk)) {
      for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        let inside = inside(chunk, e);
        let x = load_whole_cell(chunk, e, h);
        let g = gradient_of(chunk, e, inside, scale, h);
        let y = advanced_cell(x, g, h, r, m);
        after_update(x.p, y.step, g, inside);
        store_params(chunk.params, e, inside, y.p);
        store_slots(chunk, e, y);
      }
    } else {
      for (var e = 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        let inside = inside(chunk, e);
        let x = load_cell(chunk, e, inside, h);
        let g = gradient_of(chunk, e, inside, scale, h);
        let y = advanced_cell(x, g, h, r, m);
        after_update(x.p, y.step, g, inside);
        store_params(chunk.params, e, inside, y.p);
        store_slots(chunk, e, y);
      }
    }
    restore_behind(chunk.params, chunk.length, behind, lane);
  }
  end_chunk(replica * sizes.chunk_total + chunk.id, lane);
  // By the time the count is full, every workgroup has read the step; the last one advances it.
  if (!advances || !arrives_last(now.record, lane, arrayLength(&chunks))) {
    return;
  }
  if (now.full) {
    // A step that is halted or has underflowed needs no row.
    if (!now.has_row && now.skip != halted && control[now.record].underflow == 0u) {
      control[now.record].astray += 1u;
    }
    if (accumulates) {
      atomicStore(&control[now.record].micro, 0u);
    }
  }
  atomicStore(&control[now.record].step, select(now.step + 1u, now.step, skip));
}
