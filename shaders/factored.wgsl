// A factored slot: of a vector its elements, of a matrix row · column / mean. The mean of the rows' means is that of the
// columns' too, so the shorter side is summed: of a single matrix once for each chunk, of a stack whenever an element is in
// another matrix than the one before.

// The matrix of a stack whose mean was computed last, and that mean.
var<private> mean_of: u32 = 0xffffffffu;
var<private> mean_value: f32;
var<workgroup> mean_lanes: array<f32, workgroup_size>;

// Sum of the means of one side of a matrix, every step-th from the first on.
fn sum_of_means(chunk: Chunk, matrix: u32, first: u32, step: u32) -> f32 {
  let by_row = chunk.rows < chunk.columns;
  let count = select(chunk.columns, chunk.rows, by_row);
  let begin = select(chunk.factored, chunk.factored_rows, by_row) + matrix * count;
  var sum = 0.0;
  for (var start = first; start < count; start += 64u * step) {
    var stretch = 0.0;
    for (var k = start; k < min(start + 64u * step, count); k += step) {
      stretch += state_element(begin + k);
    }
    sum += stretch;
  }
  return sum;
}

fn keep_mean(chunk: Chunk, matrix: u32, sum: f32, least: f32) {
  mean_of = matrix;
  mean_value = max(sum / f32(min(chunk.rows, chunk.columns)), least);
}

// Called by all lanes together.
fn begin_chunk(chunk: Chunk, h: Row, lane: u32) {
  if (barriers) {
    let matrix = chunk.start / max(chunk.rows * chunk.columns, 1u);
    mean_lanes[lane] = sum_of_means(chunk, matrix, lane, workgroup_size);
    workgroupBarrier();
    var sum = 0.0;
    for (var k = 0u; k < workgroup_size; k++) {
      sum += mean_lanes[k];
    }
    keep_mean(chunk, matrix, sum, factor_least(h));
  }
}

fn factors_at(chunk: Chunk, t: u32, least: f32) -> f32 {
  let line = t / chunk.columns;
  let matrix = line / chunk.rows;
  if (matrix != mean_of) {
    keep_mean(chunk, matrix, sum_of_means(chunk, matrix, 0u, 1u), least);
  }
  let column = state_element(chunk.factored + matrix * chunk.columns + t % chunk.columns);
  return state_element(chunk.factored_rows + line) * (column / mean_value);
}

fn load_factored(chunk: Chunk, e: u32, h: Row) -> vec4f {
  if (chunk.rows == 0u) {
    return load_state(chunk.factored + e);
  }
  let least = factor_least(h);
  let last = chunk.length - 1u;
  let t = min(vec4u(e, e + 1u, e + 2u, e + 3u), vec4u(last)) + chunk.start;
  return vec4f(
    factors_at(chunk, t.x, least), factors_at(chunk, t.y, least),
    factors_at(chunk, t.z, least), factors_at(chunk, t.w, least));
}

fn store_factored(chunk: Chunk, e: u32, v: vec4f) {
  if (chunk.rows == 0u) {
    store_state(chunk.factored + e, v);
  }
}
