// The rows of the running batch, written by the host before each step.
struct Batch {
  // rows in use; the batch's capacity may be larger
  count: u32,
  rows: array<u32>,
}
