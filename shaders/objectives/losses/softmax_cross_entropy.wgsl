// -log softmax(outputs)[label], and whether the label's output is the largest, which is subtracted first: no exponential
// overflows. With a NaN among the outputs, or where the largest is infinite, the loss and all derivatives are NaN: some adapters'
// exponential of NaN is 0.
fn judge(first: u32, row: u32, factor: f32) -> Outcome {
  let label = answers[row];
  let classes = sizes.width;
  var top = outputs[first];
  var best = 0u;
  var broken = is_nan(top);
  for (var c = 1u; c < classes; c++) {
    let logit = outputs[first + c];
    best = select(best, c, logit > top);
    top = max(top, logit);
    broken = broken || is_nan(logit);
  }
  broken = broken || !is_finite(top);
  var total = 0.0;
  var below = 0.0;
  for (var c = 0u; c < classes; c++) {
    let distance = top - outputs[first + c];
    total += exp(-distance);
    below += distance;
  }
  let nan = bitcast<f32>(select(0u, 0x7fc00000u, broken));
  let spread = sizes.option / f32(classes);
  // Without smoothing the other logits do not count, however far below they are.
  let smoothed = select(spread * below, 0.0, bitcast<u32>(spread) == 0u);
  let loss = log(total) + (1.0 - sizes.option) * (top - outputs[first + label]) + smoothed;
  for (var c = 0u; c < classes; c++) {
    let share = exp(outputs[first + c] - top) / total;
    let wanted = select(0.0, 1.0 - sizes.option, c == label) + spread;
    outputs[first + c] = select((share - wanted) * factor, nan, broken);
  }
  // With a NaN among the logits, none is the largest.
  return Outcome(select(loss, nan, broken), select(0.0, 1.0, !broken && is_finite(loss) && best == label));
}
