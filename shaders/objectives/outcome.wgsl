// What the loss kernel finds for one example, and what total.wgsl sums.
struct Outcome {
  loss: f32,
  // 1 where the outputs are right
  hit: u32,
}
