// The functions whose errors probe/facts.ts measures: for each number a quotient, an inverse, a root, an exponential, a logarithm
// and a hyperbolic tangent.
@group(0) @binding(0) var<storage, read_write> found: array<f32>;
@group(0) @binding(1) var<storage, read> given: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) at: vec3u) {
  let i = at.x;
  if (i >= arrayLength(&given)) {
    return;
  }
  let x = given[i];
  let other = given[(i + 1u) % arrayLength(&given)];
  found[6u * i] = other / x;
  found[6u * i + 1u] = 1.0 / x;
  found[6u * i + 2u] = sqrt(x);
  found[6u * i + 3u] = exp(-x);
  found[6u * i + 4u] = log(x);
  found[6u * i + 5u] = tanh(x);
}
