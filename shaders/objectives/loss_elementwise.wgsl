// Losses that look at each output and its target alone; the example's is their mean. src/objectives/network_gpu.ts numbers
// the kinds.
override kind: u32;

// the loss and its derivative by the output
fn each(output: f32, given: f32) -> vec2f {
  let d = output - given;
  switch kind {
    // mean squared error
    case 0u: {
      return vec2f(d * d, 2.0 * d);
    }
    // Huber
    case 1u: {
      let size = abs(d);
      let inner = vec2f(0.5 * d * d, d);
      let outer = vec2f(sizes.delta * (size - 0.5 * sizes.delta), sign(d) * sizes.delta);
      return select(inner, outer, size > sizes.delta);
    }
    // binary cross-entropy of the sigmoid, with logits; of exp only what is below 1 is formed
    default: {
      let wanted = given * (1.0 - sizes.smoothing) + 0.5 * sizes.smoothing;
      let small = exp(-abs(output));
      let share = select(small, 1.0, output >= 0.0) / (1.0 + small);
      return vec2f(max(output, 0.0) - output * wanted + log(1.0 + small), share - wanted);
    }
  }
}

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
