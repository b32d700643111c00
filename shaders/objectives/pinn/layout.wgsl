// A layer's outputs and their derivatives by the inputs, stacked in one matrix: the values at the points, those at the boundary,
// then at the points the first derivatives by each input and the second ones. The number of rows is a multiple of 4, so an
// invocation takes four elements, whatever the width.
struct Sizes {
  // vec4s of the points' values, of these with the boundary's, of a replica's whole matrix
  points: u32,
  values: u32,
  stride: u32,
  dimensions: u32,
  activation: u32,
}

@group(0) @binding(0) var<storage, read> before: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> matrix: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@group(0) @binding(3) var<storage, read> control: array<u32>;
