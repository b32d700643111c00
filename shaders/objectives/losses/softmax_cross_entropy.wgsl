// -log softmax(outputs)[label], and whether the largest output is the label's. The largest is taken off first, so none is too
// large.
fn judge(first: u32, row: u32, factor: f32) -> Outcome {
  let label = answers[row];
  let classes = sizes.width;
  var top = outputs[first];
  var best = 0u;
  for (var c = 1u; c < classes; c++) {
    let logit = outputs[first + c];
    best = select(best, c, logit > top);
    top = max(top, logit);
  }
  var total = 0.0;
  var below = 0.0;
  for (var c = 0u; c < classes; c++) {
    let distance = top - outputs[first + c];
    total += exp(-distance);
    below += distance;
  }
  let spread = sizes.option / f32(classes);
  let loss = log(total) + (1.0 - sizes.option) * (top - outputs[first + label]) + spread * below;
  for (var c = 0u; c < classes; c++) {
    let share = exp(outputs[first + c] - top) / total;
    let wanted = select(0.0, 1.0 - sizes.option, c == label) + spread;
    outputs[first + c] = (share - wanted) * factor;
  }
  // Where a logit is NaN none is the largest.
  return Outcome(loss, select(0.0, 1.0, is_finite(loss) && best == label));
}
