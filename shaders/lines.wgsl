// Sums along the lines of matrices: what `line_terms` makes of the gradients and parameters in each column or each row. A lane
// sums four columns; along a row, where a line's elements are neighbours, a whole workgroup sums four rows together. What is
// summed, and what becomes of it (`settle`), says the file before this one.

// The gradient of four elements, by their places in the tensor, as it is where these lines are summed.
fn line_gradients(task: Lines, t: vec4u, scale: vec2f, h: Row) -> vec4f {
  return modify_gradient(scaled(gradient_elements(task.gradients + t), scale), t, task.places, h);
}

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = index_of(position, workgroups);
  if (index >= arrayLength(&tasks)) {
    return;
  }
  let replica = position.z;
  var task = tasks[index];
  task.params += replica * sizes.params_stride;
  task.gradients += replica * sizes.params_stride;
  task.result += replica * sizes.state_stride;
  task.places = places_in(task.places, replica * sizes.state_stride);
  let together = barriers && task.together != 0u;
  let h = row_of(replica, task.group);
  let record = replica * sizes.clip_bins;
  let scale = scale_of(record + task.bin, h);
  // Sums in sequence lose digits: stretches of 64 are added up first.
  let stretch = 64u * select(1u, workgroup_size, together);
  let line = task.first + select(4u * lane, 0u, together);
  let lines = min(vec4u(line, line + 1u, line + 2u, line + 3u), vec4u(task.lines - 1u));
  let by_column = (lines / task.columns) * (task.rows * task.columns) + lines % task.columns;
  let begin = select(by_column, lines * task.columns, task.along_rows != 0u);
  let stride = select(task.columns, 1u, task.along_rows != 0u);
  let count = select(task.rows, task.columns, task.along_rows != 0u);
  var sum = Sum();
  if (line < task.lines && control[record].skip != halted) {
    for (var start = select(0u, lane, together); start < count; start += stretch) {
      let end = min(start + stretch, count);
      var part = Sum();
      for (var k = start; k < end; k += select(1u, workgroup_size, together)) {
        let at = begin + k * stride;
        part = add_sums(part, line_terms(line_gradients(task, at, scale, h), param_elements(task.params + at)));
      }
      sum = add_sums(sum, part);
    }
  }
  if (barriers && task.together != 0u) {
    sum = joined(lane, sum);
  }
  let alone = !together || lane == 0u;
  if (alone && line < task.lines && !rests(replica) && h.frozen == 0.0) {
    let at = task.result + line;
    let before = load_state(at);
    // What lies behind the last line is not this task's.
    let inside = vec4u(line, line + 1u, line + 2u, line + 3u) < vec4u(task.lines);
    store_state(at, select(before, settle(before, sum, f32(count), h), inside));
  }
}
