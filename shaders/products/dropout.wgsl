// Inverted dropout: what is dropped becomes 0 and what is kept is divided by 1 - rate, a pure function of the layer's seed and
// stream, the step, the row of the data set and the column; src/engines/products/dropout.ts is its twin. What is dropped is told
// by integers: as a factor of 0 it could make NaN of an infinity.
@group(0) @binding(7) var<storage, read> batch: Batch;

fn dropped(instance: u32, row: u32, column: u32) -> vec4<bool> {
  let step = control[replica_of(instance) * sizes.control_stride + sizes.step_index];
  let words = philox(vec4u(column, batch.rows[row], step, sizes.stream), vec2u(sizes.key_low, sizes.key_high));
  return words < vec4u(sizes.threshold);
}

fn kept_scale() -> f32 {
  return 1.0 / sizes.kept;
}

// The activation's value before it was scaled.
fn unscaled(x: vec4f) -> vec4f {
  return x * sizes.kept;
}
