// The points on a landscape as its fragment sees them; `x(i)` is a coordinate of the point in hand. Setting, with the landscape's
// constants, is in the header that src/objectives/landscape_gpu.ts generates.
@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<storage, read> setting: Setting;

// start of the point in hand
var<private> origin: u32;
// updates made so far
var<private> step: u32;

fn x(i: u32) -> f32 {
  return points[origin + i];
}
