// The table: for each replica slots of one step's rows each, behind a word that is the step plus 1. Most slots are a ring
// that the host fills ahead of the steps; the last ones are a short ring near the last step that it knows of, for encoders
// that were never submitted. So a row is never another step's: a step whose rows are not there leaves everything as it is.
fn slot_of(replica: u32, step: u32) -> u32 {
  let begin = replica * (sizes.slots + sizes.near_slots);
  let near = (begin + sizes.slots + step % sizes.near_slots) * sizes.slot_words;
  let ahead = (begin + step % sizes.slots) * sizes.slot_words;
  return select(ahead, near, table[near] == step + 1u);
}

fn has_row(replica: u32) -> bool {
  let step = atomicLoad(&control[replica * sizes.clip_bins].step);
  return table[slot_of(replica, step)] == step + 1u;
}

// Whether all the gradients are there whose mean makes an update.
fn is_full(replica: u32) -> bool {
  return atomicLoad(&control[replica * sizes.clip_bins].micro) == sizes.accumulate;
}

// Whether an update is to leave everything as it is.
fn rests(replica: u32) -> bool {
  return control[replica * sizes.clip_bins].skip != 0u || !has_row(replica) || !is_full(replica);
}
