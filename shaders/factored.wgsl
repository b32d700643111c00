// A factored slot: for a vector its elements, for a matrix row · column / mean. The rows' means and the columns' means have the
// same mean, so the shorter side is summed: once per chunk for a single matrix, and in a stack whenever an element is in another
// matrix than the one before. A vec4 in a matrix whose width is a multiple of 4 lies in one row.

// The matrix whose mean was computed last: its first line, the start of its columns' means, and that mean.
var<private> matrix_line: u32;
var<private> matrix_columns: u32;
var<private> mean_value: f32;
// The chunk's start, and 1 / width, which gives an element's line: an emulated GPU divides integers one by one.
var<private> first_line: u32;
var<private> first_column: u32;
var<private> per_column: f32;
var<workgroup> mean_lanes: array<f32, workgroup_size>;

// A chunk with the places of its factors in a replica.
fn with_factors(chunk: Chunk, state: u32) -> Chunk {
  var its = chunk;
  its.factored += state;
  its.factored_rows += state;
  return its;
}

fn is_factored(chunk: Chunk) -> bool {
  return chunk.rows != 0u;
}

// Sum of the means of one side of a matrix: of every step-th group of four words, starting at `first`.
fn sum_of_means(chunk: Chunk, line: u32, first: u32, step: u32) -> f32 {
  let by_row = chunk.rows < chunk.columns;
  let count = select(chunk.columns, chunk.rows, by_row);
  let matrix = line / chunk.rows;
  let begin = select(chunk.factored, chunk.factored_rows, by_row) + matrix * count;
  let end = begin + count;
  // A matrix within a stack need not start at a multiple of 4.
  var sum = vec4f();
  for (var start = begin / 4u * 4u + 4u * first; start < end; start += 256u * step) {
    var stretch = vec4f();
    for (var at = start; at < min(start + 256u * step, end); at += 4u * step) {
      let words = vec4u(at, at + 1u, at + 2u, at + 3u);
      stretch += select(vec4f(), load_state(at), (words >= vec4u(begin)) & (words < vec4u(end)));
    }
    sum += stretch;
  }
  return (sum.x + sum.y) + (sum.z + sum.w);
}

fn keep_mean(chunk: Chunk, line: u32, sum: f32, least: f32) {
  let matrix = line / chunk.rows;
  matrix_line = matrix * chunk.rows;
  matrix_columns = chunk.factored + matrix * chunk.columns;
  mean_value = at_least(vec4f(sum / f32(min(chunk.rows, chunk.columns))), least).x;
}

// Called by all lanes together.
fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
  // The elements of a vector are all in one line, whatever `columns` is.
  first_line = 0u;
  first_column = 0u;
  per_column = 0.0;
  matrix_columns = chunk.factored;
  mean_value = 1.0;
  let is_matrix = chunk.rows != 0u;
  if (is_matrix) {
    first_line = chunk.start / chunk.columns;
    first_column = chunk.start - first_line * chunk.columns;
    per_column = 1.0 / f32(chunk.columns);
  }
  if (barriers) {
    mean_lanes[lane] = 0.0;
    if (is_matrix) {
      mean_lanes[lane] = sum_of_means(chunk, first_line, lane, workgroup_size);
    }
    workgroupBarrier();
    for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
      if (lane < half) {
        mean_lanes[lane] += mean_lanes[lane + half];
      }
      workgroupBarrier();
    }
    if (is_matrix) {
      keep_mean(chunk, first_line, mean_lanes[0], factor_least(h));
    }
  } else if (is_matrix) {
    keep_mean(chunk, first_line, sum_of_means(chunk, first_line, 0u, 1u), factor_least(h));
  }
}

// The factor of a line's elements: the line's mean over its matrix's.
fn line_factor(chunk: Chunk, line: u32, least: f32) -> f32 {
  // At most once.
  while (line - matrix_line >= chunk.rows) {
    keep_mean(chunk, line, sum_of_means(chunk, line, 0u, 1u), least);
  }
  return state_element(chunk.factored_rows + line) / mean_value;
}

// Whether each four of the chunk lies within one row of one matrix, whose mean is known; true for vectors.
fn goes_in_fours(chunk: Chunk) -> bool {
  let last = chunk.start + max(chunk.length, 1u) - 1u;
  return chunk.rows == 0u || (chunk.columns % 4u == 0u && last / chunk.columns - matrix_line < chunk.rows);
}

// The line and column of an element, the line relative to the chunk's first.
fn place_of(chunk: Chunk, e: u32) -> vec2u {
  let t = first_column + e;
  // The quotient can be off by 1.
  var line = u32(f32(t) * per_column);
  line -= select(0u, 1u, line * chunk.columns > t);
  line += select(0u, 1u, (line + 1u) * chunk.columns <= t);
  return vec2u(line, t - line * chunk.columns);
}

// Four elements of a chunk that goes in fours.
fn load_factored_four(chunk: Chunk, e: u32, h: Row) -> vec4f {
  let place = place_of(chunk, e);
  let row = state_element(chunk.factored_rows + first_line + place.x);
  return select(row / mean_value, 1.0, chunk.rows == 0u) * load_state(matrix_columns + place.y);
}

// Four elements of any chunk.
fn load_factored(chunk: Chunk, e: u32, h: Row) -> vec4f {
  if (chunk.rows == 0u) {
    return load_state(chunk.factored + e);
  }
  let least = factor_least(h);
  let place = place_of(chunk, e);
  var line = first_line + place.x;
  var column = place.y;
  // Usually they are in one matrix, and in two rows at most.
  let columns = column + vec4u(0u, 1u, 2u, 3u);
  let behind = columns >= vec4u(chunk.columns);
  let at = matrix_columns + columns - select(vec4u(), vec4u(chunk.columns), behind);
  let rows = vec2f(state_element(chunk.factored_rows + line), state_element(chunk.factored_rows + line + 1u)) / mean_value;
  var v = select(vec4f(rows.x), vec4f(rows.y), behind)
    * vec4f(state_element(at.x), state_element(at.y), state_element(at.z), state_element(at.w));
  // Otherwise one by one, in a loop: an emulated GPU runs both sides of a branch, but no loop that is never entered.
  let apart = chunk.columns < 4u || line + select(0u, 1u, behind.w) - matrix_line >= chunk.rows;
  for (var i = 0u; i < select(0u, 4u, apart); i++) {
    v[i] = line_factor(chunk, line, least) * state_element(matrix_columns + column);
    // Past the end of the chunk the last element is repeated.
    if (e + i + 1u < chunk.length) {
      column += 1u;
      if (column == chunk.columns) {
        column = 0u;
        line += 1u;
      }
    }
  }
  return v;
}

fn store_factored(chunk: Chunk, e: u32, v: vec4f) {
  if (chunk.rows == 0u) {
    store_state(chunk.factored + e, v);
  }
}
