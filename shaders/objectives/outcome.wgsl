// The loss kernel's result for one example, which total.wgsl sums.
struct Outcome {
  loss: f32,
  // its weight where the outputs are right, else 0
  hit: f32,
}
