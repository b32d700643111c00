// Losses that take each output with its target alone: the fragment's `each` gives loss and derivative, and the example's loss is
// their mean. For NaN both are NaN, whatever comparisons and exponentials make of it.
fn judge(first: u32, row: u32, factor: f32) -> Outcome {
  let width = sizes.width;
  var loss = 0.0;
  var hit = true;
  for (var j = 0u; j < width; j++) {
    let output = outputs[first + j];
    let given = bitcast<f32>(answers[row * width + j]);
    let found = select(each(output, given), vec2f(output), is_nan(output)) / f32(width);
    loss += found.x;
    outputs[first + j] = found.y * factor;
    hit = hit && (output > 0.0) == (given > 0.5);
  }
  return Outcome(loss, select(0.0, 1.0, hit && is_finite(loss)));
}
