// Inverted dropout: dropped values become 0 and kept ones are divided by 1 - rate, a pure function of the layer's seed and
// stream, the step, the row of the data set and the column; src/engines/products/dropout.ts is its twin. Values are dropped by an
// integer test: a factor of 0 would turn an infinity into NaN.
@group(0) @binding(7) var<storage, read> batch: Batch;

fn dropped(instance: u32, row: u32, column: u32) -> vec4<bool> {
  let step = control[replica_of(instance) * sizes.control_stride + sizes.step_index];
  let words = philox(vec4u(column, batch.rows[row], step, sizes.stream), vec2u(sizes.key_low, sizes.key_high));
  return words < vec4u(sizes.threshold);
}

fn kept_scale() -> f32 {
  return 1.0 / sizes.kept;
}

// The activation's value before dropout scaled it.
fn unscaled(x: vec4f) -> vec4f {
  return x * sizes.kept;
}
