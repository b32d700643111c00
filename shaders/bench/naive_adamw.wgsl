// AdamW of one tensor as a first attempt would have it: one element per thread, and the hypers in a uniform.
override clip: bool;

struct Hypers {
  step_size: f32,
  beta1: f32,
  beta2: f32,
  sqrt_bias2: f32,
  eps: f32,
  keep: f32,
}

@group(0) @binding(0) var<storage, read_write> params: array<f32>;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;
@group(0) @binding(4) var<uniform> hypers: Hypers;
// The gradient's norm, and the factor for the gradient.
@group(0) @binding(5) var<storage, read> found: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (position.y * workgroups.x + position.x) * 64u + lane;
  if (i >= arrayLength(&params)) {
    return;
  }
  var g = gradients[i];
  if (clip) {
    g *= found[1];
  }
  let first = hypers.beta1 * m[i] + (1.0 - hypers.beta1) * g;
  let second = hypers.beta2 * v[i] + (1.0 - hypers.beta2) * g * g;
  m[i] = first;
  v[i] = second;
  params[i] = hypers.keep * params[i] - hypers.step_size * first / (sqrt(second) / hypers.sqrt_bias2 + hypers.eps);
}
