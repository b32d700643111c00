// Layer statistics: sums of squares over each chunk of an update, from which the host computes the norms of each tensor. Squares
// of float32 span twice its range, so each sum has two parts (Blue 1978): elements below 2^9 times 2^47, which are lost below
// 2^-110, and the others times 2^-72. src/engines/gpu/layer_stats.ts joins them, and defines a Sum.
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.gradient + b.gradient, a.weight + b.weight, a.change + b.change);
}

struct Squares {
  low: vec4f,
  high: vec4f,
}

// This lane's sums. Variables of the module: carried through the update's loop they would slow down updates without layer
// statistics.
var<private> gradient_squares: Squares;
var<private> weight_squares: Squares;
var<private> change_squares: Squares;

fn layer_stats_after(before: vec4f, step: vec4f, gradient: vec4f, inside: vec4<bool>) {
  add_squares(&gradient_squares, gradient, inside);
  add_squares(&weight_squares, before, inside);
  add_squares(&change_squares, step, inside);
}

fn add_squares(squares: ptr<private, Squares>, x: vec4f, inside: vec4<bool>) {
  let high = abs(x) >= vec4f(0x1p+9f);
  let scaled = x * select(vec4f(0x1p+47f), vec4f(0x1p-72f), high);
  let square = select(vec4f(), scaled * scaled, inside);
  (*squares).low += select(square, vec4f(), high);
  (*squares).high += select(vec4f(), square, high);
}

fn both_of(squares: Squares) -> vec2f {
  let pairs = vec4f(squares.low.xy + squares.low.zw, squares.high.xy + squares.high.zw);
  return pairs.xz + pairs.yw;
}

fn layer_stats_end(place: u32, lane: u32) {
  let sum = joined(lane, Sum(both_of(gradient_squares), both_of(weight_squares), both_of(change_squares)));
  // While gradients are added up, the statistics of the last update stay.
  if (now_of(place / sizes.chunk_total).full) {
    store_joined(place, lane, sum);
  }
}
