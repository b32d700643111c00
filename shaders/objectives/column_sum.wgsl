// The sum of each column of a [rows, columns] matrix: a bias's gradient.
@group(0) @binding(0) var<storage, read> matrix: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<storage, read> control: array<u32>;

override rows: u32;
override columns: u32;
override matrix_stride: u32;
override sums_stride: u32;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let replica = id.z;
  if (column >= columns || halted(replica)) {
    return;
  }
  let first = replica * matrix_stride + column;
  var sum = 0.0;
  for (var row = 0u; row < rows; row++) {
    sum += matrix[first + row * columns];
  }
  sums[replica * sums_stride + column] = sum;
}
