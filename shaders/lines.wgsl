// Sums along the lines of matrices, one for each column or each row, of the `line_terms` of the gradients (and `line_params`). A
// lane sums four columns; along a row, where a line's elements are neighbours, a whole workgroup sums four rows together. Where a
// matrix's width is a multiple of 4, elements are read in fours. The file before this one defines the terms and what becomes of
// the sums (`settle`).

// The gradients of four elements, given their places in the tensor, as they are when these lines are summed: neighbours starting
// at a multiple of 4, or any four.
fn line_gradients(task: Lines, t: vec4u, neighbours: bool, scale: vec2f, h: Row) -> vec4f {
  var g: vec4f;
  if (neighbours) {
    g = gradient_four(task.gradients + t.x);
  } else {
    g = gradient_elements(task.gradients + t);
  }
  return modify_gradient(scaled(g, scale), t, task.places, h);
}

// Their parameters.
fn line_params(task: Lines, t: vec4u, neighbours: bool) -> vec4f {
  if (neighbours) {
    return param_four(task.params + t.x);
  }
  return param_elements(task.params + t);
}

// Terms of four neighbours in one row.
fn row_terms(task: Lines, first: u32, scale: vec2f, h: Row) -> Sum {
  let t = first + vec4u(0u, 1u, 2u, 3u);
  return line_terms(line_gradients(task, t, true, scale, h), task, t, true);
}

// The sum of each of four vectors' elements.
fn across(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> vec4f {
  let low = vec4f(a.x + a.y, b.x + b.y, c.x + c.y, d.x + d.y);
  return low + vec4f(a.z + a.w, b.z + b.w, c.z + c.w, d.z + d.w);
}

// The sums of four lines, of every step-th element (or four) of them from `first` on.
fn sums_of(task: Lines, line: u32, first: u32, step: u32, scale: vec2f, h: Row) -> Sum {
  let lines = min(vec4u(line, line + 1u, line + 2u, line + 3u), vec4u(task.lines - 1u));
  let by_column = (lines / task.columns) * (task.rows * task.columns) + lines % task.columns;
  let along_rows = task.along_rows != 0u;
  let begin = select(by_column, lines * task.columns, along_rows);
  let stride = select(task.columns, 1u, along_rows);
  let count = select(task.rows, task.columns, along_rows);
  let whole = fours && task.columns % 4u == 0u;
  var sum = Sum();
  // Sums in sequence lose digits: stretches of 64 are added up first.
  if (whole && along_rows) {
    // Four elements of each row at a time.
    var a = Sum();
    var b = Sum();
    var c = Sum();
    var d = Sum();
    for (var start = 4u * first; start < count; start += 256u * step) {
      let end = min(start + 256u * step, count);
      var part_a = Sum();
      var part_b = Sum();
      var part_c = Sum();
      var part_d = Sum();
      for (var k = start; k < end; k += 4u * step) {
        part_a = add_sums(part_a, row_terms(task, begin.x + k, scale, h));
        part_b = add_sums(part_b, row_terms(task, begin.y + k, scale, h));
        part_c = add_sums(part_c, row_terms(task, begin.z + k, scale, h));
        part_d = add_sums(part_d, row_terms(task, begin.w + k, scale, h));
      }
      a = add_sums(a, part_a);
      b = add_sums(b, part_b);
      c = add_sums(c, part_c);
      d = add_sums(d, part_d);
    }
    sum = across_lines(a, b, c, d);
  } else if (whole) {
    for (var start = first; start < count; start += 64u * step) {
      let end = min(start + 64u * step, count);
      var part = Sum();
      for (var k = start; k < end; k += step) {
        let at = begin + k * stride;
        part = add_sums(part, line_terms(line_gradients(task, at, true, scale, h), task, at, true));
      }
      sum = add_sums(sum, part);
    }
  } else {
    for (var start = first; start < count; start += 64u * step) {
      let end = min(start + 64u * step, count);
      var part = Sum();
      for (var k = start; k < end; k += step) {
        let at = begin + k * stride;
        part = add_sums(part, line_terms(line_gradients(task, at, false, scale, h), task, at, false));
      }
      sum = add_sums(sum, part);
    }
  }
  return sum;
}

// Settles the sums of four lines.
fn settle_lines(task: Lines, line: u32, sum: Sum, h: Row) {
  let at = task.result + line;
  let before = load_state(at);
  // Lines past the last belong to other tasks.
  let inside = vec4u(line, line + 1u, line + 2u, line + 3u) < vec4u(task.lines);
  let count = select(task.rows, task.columns, task.along_rows != 0u);
  store_state(at, select(before, settle(before, sum, f32(count), h), inside));
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
  let now = now_of(replica);
  let h = row_of(now, task.group);
  let scale = scale_of(now.record + task.bin, h);
  let moves = !rests(now) && h.frozen == 0.0;
  if (barriers) {
    let together = task.together != 0u;
    let line = task.first + select(4u * lane, 0u, together);
    var sum = Sum();
    if (moves && line < task.lines) {
      sum = sums_of(task, line, select(0u, lane, together), select(1u, workgroup_size, together), scale, h);
    }
    // Whether needed or not: some compilers refuse a barrier that depends on loaded values.
    let all = joined(lane, sum);
    if (together) {
      sum = all;
    }
    if (moves && line < task.lines && (!together || lane == 0u)) {
      settle_lines(task, line, sum, h);
    }
  } else if (moves) {
    // Several times as many short lines as there are lanes for.
    for (var line = task.first + 4u * lane; line < min(task.first + task.own, task.lines); line += 4u * workgroup_size) {
      settle_lines(task, line, sums_of(task, line, 0u, 1u, scale, h), h);
    }
  }
}
