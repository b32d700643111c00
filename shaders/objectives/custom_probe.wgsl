// The values for finite differences: for given rows and parameters, the row's loss with the parameter changed, its derivative by
// the parameter, and the loss unchanged; one invocation each. Each reports an access out of range.
struct Finding {
  value: f32,
  // out of range: 0 nothing, 1 a parameter, 2 an input, 3 a target
  what: u32,
  // its index
  index: u32,
}

@group(0) @binding(3) var<storage, read> params: array<f32>;
// probed rows, in the third dimension
@group(0) @binding(4) var<storage, read> rows: array<u32>;
// probed parameters, and the values of each
@group(0) @binding(5) var<storage, read> probed: array<u32>;
@group(0) @binding(6) var<storage, read> values: array<f32>;
@group(0) @binding(7) var<storage, read_write> findings: array<Finding>;

// values per parameter
override value_count: u32;

var<private> moved: u32;
var<private> moved_to: f32;
var<private> stray: vec2u;

fn within(i: u32, count: u32, what: u32) -> u32 {
  if (i >= count && stray.x == 0u) {
    stray = vec2u(what, i);
  }
  return min(i, count - 1u);
}

fn param(i: u32) -> f32 {
  let at = within(i, param_count, 1u);
  if (at == moved) {
    return moved_to;
  }
  return params[at];
}

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear(position, workgroups, lane);
  let stages = value_count + 2u;
  if (index >= sizes.capacity * stages) {
    return;
  }
  let nth = index / stages;
  let stage = index % stages;
  let row = rows[position.z];
  moved = param_count;
  stray = vec2u();
  if (stage < value_count) {
    moved = probed[nth];
    moved_to = values[nth * value_count + stage];
  }
  var found = 0.0;
  if (stage == value_count) {
    found = gradient(row, probed[nth]);
  } else {
    found = loss(row);
  }
  findings[position.z * sizes.capacity * stages + index] = Finding(found, stray.x, stray.y);
}
