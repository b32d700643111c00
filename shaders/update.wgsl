// The driver of every rule: one workgroup updates one chunk, and the last one to finish the last update of a step advances
// it. Cell, Row and what loads and stores them stand in the header that src/assemble.ts generates; `advanced_cell` there
// calls the rule's `update`.

// Whether this is the last update of the step.
override advances: bool;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= arrayLength(&chunks)) {
    return;
  }
  let replica = position.z;
  let own = replica * sizes.clip_bins;
  let step = atomicLoad(&control[own].step);
  let skip = rests(replica);
  let chunk = chunk_of(replica, index);
  let h = row_of(replica, chunk.group);
  begin_chunk(chunk, h, lane);
  if (!skip) {
    // What is frozen keeps all it has; but slots begin with the first step.
    let frozen = h.frozen != 0.0;
    if (!frozen || h.first != 0.0) {
      let r = scalars_of(replica, chunk.record, chunk.rows != 0u);
      let caution = caution_of(replica, chunk.record);
      let scale = scale_of(own + chunk.bin, h);
      // Whole vec4s in a loop without a branch: an emulated GPU runs both sides of every branch, here that of the tail.
      let whole = select(chunk.length / 4u * 4u, 0u, frozen);
      for (var e = 4u * lane; e < whole; e += 4u * workgroup_size) {
        let inside = vec4<bool>(true);
        let x = load_cell(chunk, e, inside, h);
        let g = gradient_of(chunk, e, inside, scale, h);
        let y = advanced_cell(x, g, h, r, caution);
        note(x.p, y.p, g, inside);
        store_cell(chunk, e, y);
      }
      for (var e = whole + 4u * lane; e < chunk.length; e += 4u * workgroup_size) {
        let inside = inside(chunk, e);
        let x = load_cell(chunk, e, inside, h);
        var y = x;
        if (!frozen) {
          let g = gradient_of(chunk, e, inside, scale, h);
          y = advanced_cell(x, g, h, r, caution);
          note(x.p, y.p, g, inside);
        }
        store_tail(chunk, e, inside, x, y);
      }
    }
  }
  store_noted(replica * sizes.chunk_total + chunk.id, lane);
  if (!advances) {
    return;
  }
  // Whoever is counted out has read the step; the last one advances it.
  var last = false;
  if (barriers) {
    workgroupBarrier();
    if (lane == 0u) {
      last = atomicAdd(&control[own].arrived, 1u) == arrayLength(&chunks) - 1u;
    }
  } else {
    last = atomicAdd(&control[own].arrived, 1u) == arrayLength(&chunks) * workgroup_size - 1u;
  }
  if (last) {
    atomicStore(&control[own].arrived, 0u);
    if (is_full(replica)) {
      // What halts or has underflowed needs no row.
      if (!has_row(replica) && control[own].skip != halted && control[own].underflow == 0u) {
        control[own].astray += 1u;
      }
      atomicStore(&control[own].micro, 0u);
    }
    atomicStore(&control[own].step, select(step + 1u, step, skip));
  }
}
