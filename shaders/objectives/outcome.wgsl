// What the loss kernel finds for one example, and what total.wgsl sums.
struct Outcome {
  loss: f32,
  // its weight where the outputs are right, else 0
  hit: f32,
}
