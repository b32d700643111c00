// Gathers the batch's rows of the data set, which is on the GPU as bytes or float32, into a float32 matrix; for a recurrent
// network, one matrix per time step. An invocation takes four numbers of a row. Rows past the batch's count become zero.
struct Sizes {
  features: u32,
  capacity: u32,
  // time steps; 1 where there are none
  steps: u32,
  // 1 for bytes
  bytes: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read_write> inputs: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

fn number(at: u32) -> f32 {
  if (sizes.bytes == 1u) {
    return f32(extractBits(data[at / 4u], 8u * (at % 4u), 8u));
  }
  return bitcast<f32>(data[at]);
}

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear(position, workgroups, lane);
  let features = sizes.features;
  let quads = (features + 3u) / 4u;
  let row = index / quads;
  if (row >= sizes.capacity) {
    return;
  }
  let first = 4u * (index % quads);
  let last = min(first + 4u, features);
  let each = features / sizes.steps;
  for (var column = first; column < last; column++) {
    var value = 0.0;
    if (row < batch.count) {
      value = sizes.scale * number(batch.rows[row] * features + column);
    }
    let step = column / each;
    inputs[(step * sizes.capacity + row) * each + column - step * each] = value;
  }
}
