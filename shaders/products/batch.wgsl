// The rows of the running batch, or of the current micro-batch; written by the host before each step.
struct Batch {
  // rows in use; there is room for more
  count: u32,
  // 1 / the sum of the weights of the whole batch
  inverse: f32,
  rows: array<u32>,
}
