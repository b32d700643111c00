// A factored slot: for a vector its elements, for a matrix row · column / mean. The rows' means and the columns' means have the
// same mean, so the shorter side is summed: once for a chunk's first matrix, and in a stack whenever a four is in another matrix
// than the one before. A vec4 in a matrix whose width is a multiple of 4 lies in one row.

// Of the chunk's first matrix: its first line, the start of its columns' means, and its mean.
var<private> matrix_line: u32;
var<private> matrix_columns: u32;
var<private> mean_value: f32;
// A matrix, counted from that one, whose mean is known; its mean and the next one's.
var<private> known: u32;
var<private> means: vec2f;
// The chunk's start, and 1 / the sides, which give an element's place: an emulated GPU divides integers one by one.
var<private> first_line: u32;
var<private> first_column: u32;
var<private> per_column: f32;
var<private> per_row: f32;
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

// The side of a matrix whose means are summed.
fn sums_rows(chunk: Chunk) -> bool {
  return chunk.rows < chunk.columns;
}

fn side_of(chunk: Chunk) -> u32 {
  return min(chunk.rows, chunk.columns);
}

// The start of that side's means in the chunk's first matrix.
fn side_begin(chunk: Chunk) -> u32 {
  return select(matrix_columns, chunk.factored_rows + matrix_line, sums_rows(chunk));
}

// Sum of the first matrix's means: of every step-th group of four words, starting at `first`.
fn sum_of_means(chunk: Chunk, first: u32, step: u32) -> f32 {
  let begin = side_begin(chunk);
  let end = begin + side_of(chunk);
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

// The means of a matrix, counted from the chunk's first, and of the next.
fn means_from(chunk: Chunk, matrix: u32) -> vec2f {
  let side = side_of(chunk);
  let begin = side_begin(chunk) + matrix * side;
  var sum = vec2f();
  for (var start = 0u; start < side; start += 64u) {
    var stretch = vec2f();
    for (var i = start; i < min(start + 64u, side); i++) {
      stretch += vec2f(state_element(begin + i), state_element(begin + side + i));
    }
    sum += stretch;
  }
  return sum / f32(side);
}

// Called by all lanes together.
fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
  // The elements of a vector are all in one line, whatever `columns` is.
  first_line = 0u;
  first_column = 0u;
  per_column = 0.0;
  per_row = 0.0;
  matrix_line = 0u;
  matrix_columns = chunk.factored;
  mean_value = 1.0;
  known = 0u;
  let is_matrix = chunk.rows != 0u;
  var sum = 0.0;
  if (is_matrix) {
    first_line = chunk.start / chunk.columns;
    first_column = chunk.start - first_line * chunk.columns;
    per_column = 1.0 / f32(chunk.columns);
    per_row = 1.0 / f32(chunk.rows);
    let matrix = first_line / chunk.rows;
    matrix_line = matrix * chunk.rows;
    matrix_columns = chunk.factored + matrix * chunk.columns;
    sum = sum_of_means(chunk, select(0u, lane, barriers), select(1u, workgroup_size, barriers));
    if (!is_in_one(chunk)) {
      known = 0xffffffffu;
    }
  }
  if (barriers) {
    mean_lanes[lane] = sum;
    workgroupBarrier();
    for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
      if (lane < half) {
        mean_lanes[lane] += mean_lanes[lane + half];
      }
      workgroupBarrier();
    }
    sum = mean_lanes[0];
  }
  if (is_matrix) {
    mean_value = at_least(vec4f(sum / f32(side_of(chunk))), factor_least(h)).x;
    means = vec2f(mean_value);
  }
}

// Whether the chunk lies in one matrix.
fn is_in_one(chunk: Chunk) -> bool {
  let last = chunk.start + max(chunk.length, 1u) - 1u;
  return last / chunk.columns - matrix_line < chunk.rows;
}

// Whether each four of the chunk lies within one row of one matrix; true for vectors.
fn goes_in_fours(chunk: Chunk) -> bool {
  return chunk.rows == 0u || (chunk.columns % 4u == 0u && is_in_one(chunk));
}

// Quotients of whole numbers, given 1 / the divisor: at first they can be off by 1.
fn quotients(x: vec4u, divisor: u32, inverse: f32) -> vec4u {
  var y = vec4u(vec4f(x) * inverse);
  y -= select(vec4u(), vec4u(1u), y * divisor > x);
  y += select(vec4u(), vec4u(1u), (y + 1u) * divisor <= x);
  return y;
}

fn state_elements(at: vec4u) -> vec4f {
  return vec4f(state_element(at.x), state_element(at.y), state_element(at.z), state_element(at.w));
}

// Four elements of a chunk that goes in fours.
fn load_factored_four(chunk: Chunk, e: u32, h: Row) -> vec4f {
  let t = first_column + e;
  let line = quotients(vec4u(t), chunk.columns, per_column).x;
  let row = state_element(chunk.factored_rows + first_line + line);
  return select(row / mean_value, 1.0, chunk.rows == 0u) * load_state(matrix_columns + t - line * chunk.columns);
}

// Four elements of any chunk. They lie in at most two matrices, unless these have a side of 1.
fn load_factored(chunk: Chunk, e: u32, h: Row) -> vec4f {
  if (chunk.rows == 0u) {
    return load_state(chunk.factored + e);
  }
  // Past the end of the chunk the last element is repeated.
  let t = first_column + min(e + vec4u(0u, 1u, 2u, 3u), vec4u(chunk.length - 1u));
  let line = quotients(t, chunk.columns, per_column);
  let matrix = quotients(first_line - matrix_line + line, chunk.rows, per_row);
  let rows = state_elements(chunk.factored_rows + first_line + line);
  let columns = state_elements(matrix_columns + matrix * chunk.columns + t - line * chunk.columns);
  // At most once; with a side of 1, its only mean is the matrix's.
  let apart = side_of(chunk) > 1u;
  while (apart && matrix.x != known) {
    means = means_from(chunk, matrix.x);
    known = matrix.x;
  }
  let two = select(vec4f(means.x), vec4f(means.y), matrix != vec4u(matrix.x));
  let mean = select(select(columns, rows, sums_rows(chunk)), two, apart);
  return rows / at_least(mean, factor_least(h)) * columns;
}

fn store_factored(chunk: Chunk, e: u32, v: vec4f) {
  if (chunk.rows == 0u) {
    store_state(chunk.factored + e, v);
  }
}
