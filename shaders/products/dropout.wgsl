// Inverted dropout: 0 for what is dropped and 1 / (1 - rate) for what is kept, a pure function of the layer's seed and stream,
// the step, the row of the data set and the column; src/engines/products/dropout.ts is its twin.
@group(0) @binding(7) var<storage, read> batch: Batch;

fn mask(instance: u32, row: u32, column: u32) -> vec4f {
  let step = control[replica_of(instance) * sizes.control_stride + sizes.step_index];
  let words = philox(vec4u(column, batch.rows[row], step, sizes.stream), vec2u(sizes.key_low, sizes.key_high));
  return select(vec4f(1.0 / sizes.kept), vec4f(), words < vec4u(sizes.threshold));
}

// The activation's value before it was scaled.
fn unscaled(x: vec4f) -> vec4f {
  return x * sizes.kept;
}
