// The table: for each replica, slots with one step's rows each, after a word that is the step plus 1. Most slots are a ring that
// the host fills ahead of the steps; the last ones are a short ring near the last step that the host knows of, for encoders that
// were never submitted. So a row never belongs to another step: a step without rows changes nothing.
fn slot_of(replica: u32, step: u32) -> u32 {
  let begin = replica * (sizes.slots + sizes.near_slots);
  let near = (begin + sizes.slots + step % sizes.near_slots) * sizes.slot_words;
  let ahead = (begin + step % sizes.slots) * sizes.slot_words;
  return select(ahead, near, table[near] == step + 1u);
}

// Whether several gradients make one update.
override accumulates: bool;

// A replica's progress.
struct Now {
  // its record in the control buffer, and two words of it
  record: u32,
  step: u32,
  skip: u32,
  // the place of the step's rows in the table, if they are there
  slot: u32,
  has_row: bool,
  // whether this gradient completes the mean that makes an update
  full: bool,
}

fn now_of(replica: u32) -> Now {
  let record = replica * sizes.clip_bins;
  let step = atomicLoad(&control[record].step);
  let slot = slot_of(replica, step);
  let full = !accumulates || atomicLoad(&control[record].micro) == sizes.accumulate;
  return Now(record, step, control[record].skip, slot, table[slot] == step + 1u, full);
}

// Whether an update must change nothing.
fn rests(now: Now) -> bool {
  return now.skip != 0u || !now.has_row || !now.full;
}
