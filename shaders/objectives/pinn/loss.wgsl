// The loss of an equation and its derivatives, one invocation per point: the square of left(u) - right at the batch's points,
// weighted, and of u - value at the boundary. The stacked outputs are replaced by the derivatives, times the optimizer's loss
// scale: of the points' weighted mean, and of the boundary's sum.
struct Sizes {
  // rows of the points' values, of these with the boundary's, of a replica's whole matrix
  points: u32,
  values: u32,
  stride: u32,
  dimensions: u32,
  boundary: u32,
  // index of the loss scale in the first replica's record
  loss_scale_index: u32,
  // factor of the boundary's losses, and a further one of their derivatives: 1, or 0 after the batch's first micro-batch
  boundary_weight: f32,
  derive_boundary: f32,
}

@group(0) @binding(0) var<storage, read> batch: Batch;
// for each point of the boundary its value and weight; then for each row of the data set right-hand side, exact solution and weight
@group(0) @binding(1) var<storage, read> answers: array<vec4f>;
@group(0) @binding(2) var<storage, read> inputs: array<f32>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;
@group(0) @binding(4) var<storage, read_write> outcomes: array<Outcome>;
// room for this many per replica, the boundary's first
@group(0) @binding(5) var<storage, read_write> penalty: array<Outcome>;
@group(0) @binding(6) var<storage, read> control: array<u32>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linear(position, workgroups, lane);
  let replica = position.z;
  if (row >= sizes.values || halted(replica)) {
    return;
  }
  let scale = bitcast<f32>(control[replica * control_stride + sizes.loss_scale_index]);
  let at = replica * sizes.stride + row;
  if (row >= sizes.points) {
    let known = row - sizes.points;
    var delta = 0.0;
    if (known < sizes.boundary) {
      let weight = sizes.boundary_weight * answers[known].y;
      let off = outputs[at] - answers[known].x;
      penalty[replica * (arrayLength(&penalty) / workgroups.z) + known] = Outcome(weight * off * off, 0.0);
      delta = 2.0 * weight * off * sizes.derive_boundary * scale;
    }
    outputs[at] = delta;
    return;
  }
  let dimensions = sizes.dimensions;
  let once = replica * sizes.stride + sizes.values + row;
  let twice = once + dimensions * sizes.points;
  var by = Jet();
  var outcome = Outcome(0.0, 0.0);
  if (row < batch.count) {
    var x = vec2f(inputs[row * dimensions], 0.0);
    var u = Jet(outputs[at], vec2f(outputs[once], 0.0), vec2f(outputs[twice], 0.0));
    if (dimensions == 2u) {
      x.y = inputs[row * dimensions + 1u];
      u.d.y = outputs[once + sizes.points];
      u.dd.y = outputs[twice + sizes.points];
    }
    let answer = answers[sizes.boundary + batch.rows[row]];
    let residual = left(x, u) - answer.x;
    let off = u.u - answer.y;
    let weight = answer.z;
    // A point of weight 0 does not count, even if its loss is infinite.
    if ((bitcast<u32>(weight) << 1u) != 0u) {
      outcome = Outcome(weight * residual * residual, weight * off * off);
      let slope = slopes(x, u);
      let factor = 2.0 * weight * residual * batch.inverse * scale;
      by = Jet(factor * slope.u, factor * slope.d, factor * slope.dd);
    }
  }
  outcomes[replica * sizes.points + row] = outcome;
  outputs[at] = by.u;
  outputs[once] = by.d.x;
  outputs[twice] = by.dd.x;
  if (dimensions == 2u) {
    outputs[once + sizes.points] = by.d.y;
    outputs[twice + sizes.points] = by.dd.y;
  }
}
