// Losses of each output and its target alone, which the fragment's `each` gives with the derivative; the example's loss is
// their mean.
fn judge(first: u32, row: u32, factor: f32) -> Outcome {
  let width = sizes.width;
  var loss = 0.0;
  var hit = true;
  for (var j = 0u; j < width; j++) {
    let output = outputs[first + j];
    let given = bitcast<f32>(answers[row * width + j]);
    let found = each(output, given) / f32(width);
    loss += found.x;
    outputs[first + j] = found.y * factor;
    hit = hit && (output > 0.0) == (given > 0.5);
  }
  return Outcome(loss, select(0.0, 1.0, hit && is_finite(loss)));
}
