// Gathers the batch's rows of the data set, which lies on the GPU as bytes or as float32, into a float32 matrix. Rows
// beyond the batch's count become zero.
@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read_write> inputs: array<f32>;

override features: u32;
override capacity: u32;
override bytes: bool;
override scale: f32;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let row = id.y;
  if (column >= features || row >= capacity) {
    return;
  }
  var value = 0.0;
  if (row < batch.count) {
    let at = batch.rows[row] * features + column;
    if (bytes) {
      value = f32((data[at / 4u] >> (8u * (at % 4u))) & 0xffu);
    } else {
      value = bitcast<f32>(data[at]);
    }
  }
  inputs[row * features + column] = scale * value;
}
