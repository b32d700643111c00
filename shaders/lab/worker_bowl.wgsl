// A bowl of curvature 1 around points that each worker draws on its own; a row holds a point for every worker. Parameters from 0 on are the
// coordinates and the last one is the worker's number. The twin is in src/lab/experiments/federated.ts.
fn off(row: u32, i: u32) -> f32 {
  return param(i) - input(row, u32(param(param_count - 1u)) * (param_count - 1u) + i);
}

fn loss(row: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < param_count - 1u; i++) {
    sum += 0.5 * off(row, i) * off(row, i);
  }
  return sum;
}

fn gradient(row: u32, i: u32) -> f32 {
  if (i == param_count - 1u) {
    return 0.0;
  }
  return off(row, i);
}
