// What the loss kernel finds for one example, and what total.wgsl sums.
struct Outcome {
  loss: f32,
  // 1 where the largest logit is the label's
  hit: u32,
}
