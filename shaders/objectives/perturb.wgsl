// Between the gradients of a Hessian-vector product: moves one replica's tensor along the direction, then against it, then
// back to the bit, and takes the difference of the two gradients. What the gradients of all replicas were is put back.
struct Sizes {
  length: u32,
  // from one replica's tensor to the next one's
  params_stride: u32,
  gradients_stride: u32,
  // which replica is moved
  replica: u32,
}

@group(0) @binding(0) var<storage, read_write> params: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;
// by how much parameters are moved
@group(0) @binding(2) var<storage, read> direction: array<f32>;
// parameters as they were
@group(0) @binding(3) var<storage, read_write> saved: array<f32>;
// gradients as they were, replica after replica
@group(0) @binding(4) var<storage, read_write> held: array<f32>;
// the gradient above, then what it is more than the one below
@group(0) @binding(5) var<storage, read_write> difference: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

// 0 before the first gradient, 1 between them, 2 after the second
override phase: u32;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = linear(position, workgroups, lane);
  let replica = position.z;
  if (i >= sizes.length) {
    return;
  }
  let moved = replica == sizes.replica;
  let p = replica * sizes.params_stride + i;
  let g = replica * sizes.gradients_stride + i;
  switch phase {
    case 0u: {
      held[replica * sizes.length + i] = gradients[g];
      if (moved) {
        saved[i] = params[p];
        params[p] = saved[i] + direction[i];
      }
    }
    case 1u: {
      if (moved) {
        difference[i] = gradients[g];
        params[p] = saved[i] - direction[i];
      }
    }
    default: {
      if (moved) {
        difference[i] -= gradients[g];
        params[p] = saved[i];
      }
      gradients[g] = held[replica * sizes.length + i];
    }
  }
}
