// Sums along the lines of matrices: the squares of gradients and parameters in each column or each row. A lane sums four
// columns; along a row, where a line's elements are neighbours, a whole workgroup sums four rows together. What becomes of
// the sums is the file's behind it: `settle`. Squares overflow above 1.8e19, so gradients are also summed 2^80 times smaller
// where the file says `two_scales`.
struct Lines {
  params: u32,
  gradients: u32,
  // where the results go in the state, a multiple of 4
  target_offset: u32,
  // the first line of this task, and how many there are in all
  first: u32,
  lines: u32,
  rows: u32,
  columns: u32,
  // 1: lines are rows, else columns, of a stack of matrices
  along_rows: u32,
  // 1: the workgroup's lanes share four lines
  together: u32,
  group: u32,
  bin: u32,
  // the scales of adaptive clipping, for what goes by the clipped gradient
  units: u32,
  unit_columns: u32,
}

@group(0) @binding(3) var<storage, read> tasks: array<Lines>;

var<workgroup> gradient_lanes: array<vec4f, workgroup_size>;
var<workgroup> high_lanes: array<vec4f, workgroup_size>;
var<workgroup> param_lanes: array<vec4f, workgroup_size>;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= arrayLength(&tasks)) {
    return;
  }
  let replica = position.z;
  var task = tasks[index];
  task.params += replica * sizes.params_stride;
  task.gradients += replica * sizes.params_stride;
  task.target_offset += replica * sizes.state_stride;
  task.units += replica * sizes.state_stride;
  let together = barriers && task.together != 0u;
  let h = row_of(replica, task.group);
  let own = replica * sizes.clip_bins;
  let scale = scale_of(own + task.bin, h);
  // Sums in sequence lose digits: stretches of 64 are added up first.
  let stretch = 64u * select(1u, workgroup_size, together);
  let line = task.first + select(4u * lane, 0u, together);
  let lines = min(vec4u(line, line + 1u, line + 2u, line + 3u), vec4u(task.lines - 1u));
  let by_column = (lines / task.columns) * (task.rows * task.columns) + lines % task.columns;
  let begin = select(by_column, lines * task.columns, task.along_rows != 0u);
  let stride = select(task.columns, 1u, task.along_rows != 0u);
  let count = select(task.rows, task.columns, task.along_rows != 0u);
  var g2 = vec4f();
  var high = vec4f();
  var p2 = vec4f();
  if (line < task.lines && control[own].skip != halted) {
    for (var start = select(0u, lane, together); start < count; start += stretch) {
      let end = min(start + stretch, count);
      var g2_part = vec4f();
      var high_part = vec4f();
      var p2_part = vec4f();
      for (var k = start; k < end; k += select(1u, workgroup_size, together)) {
        let at = begin + k * stride;
        let g = vec4f(
          gradient_at(task, at.x, scale, h), gradient_at(task, at.y, scale, h),
          gradient_at(task, at.z, scale, h), gradient_at(task, at.w, scale, h));
        let p = vec4f(
          param_at(task, at.x), param_at(task, at.y),
          param_at(task, at.z), param_at(task, at.w));
        g2_part += g * g;
        if (two_scales) {
          high_part += (g * 0x1p-80f) * (g * 0x1p-80f);
        }
        p2_part += p * p;
      }
      g2 += g2_part;
      high += high_part;
      p2 += p2_part;
    }
  }
  if (barriers && task.together != 0u) {
    gradient_lanes[lane] = g2;
    high_lanes[lane] = high;
    param_lanes[lane] = p2;
    workgroupBarrier();
    for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
      if (lane < half) {
        gradient_lanes[lane] += gradient_lanes[lane + half];
        high_lanes[lane] += high_lanes[lane + half];
        param_lanes[lane] += param_lanes[lane + half];
      }
      workgroupBarrier();
    }
    g2 = gradient_lanes[0];
    high = high_lanes[0];
    p2 = param_lanes[0];
  }
  let alone = !together || lane == 0u;
  if (alone && line < task.lines && !rests(replica) && h.frozen == 0.0) {
    let at = (task.target_offset + line) / 4u;
    // What lies behind the last line is not this task's.
    let own = vec4u(line, line + 1u, line + 2u, line + 3u) < vec4u(task.lines);
    state[at] = select(state[at], settle(state[at], g2, high, p2, f32(count), h), own);
  }
}
