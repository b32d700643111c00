// The parameters of the replica in hand, and the batch, for the kernels of a custom objective.
@group(0) @binding(3) var<storage, read> batch: Batch;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> params: array<f32>;
// the optimizer's control buffer
@group(0) @binding(6) var<storage, read> control: array<u32>;

// start of the replica in hand in the arenas
var<private> origin: u32;

// An index past the end reads the last element: src/lab/verify_objective.ts reports it.
fn within(i: u32, count: u32, what: u32) -> u32 {
  return min(i, count - 1u);
}

fn param(i: u32) -> f32 {
  return params[origin + place(within(i, param_count, 1u))];
}

fn weight_of(row: u32) -> f32 {
  if (sizes.weighted == 1u) {
    return weights[row];
  }
  return 1.0;
}
