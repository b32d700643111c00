// What an update notes of itself, chunk by chunk: sums of squares from which the host makes the norms of each tensor.
// Squares of float32 span twice its range, so each sum is two (Blue 1978): of the elements below 2^9 times 2^47, which are
// lost from 2^-110 down, and of the others times 2^-72. src/gpu/noted.ts joins them.
struct Noted {
  // of the gradient as the rule took it
  gradient: vec2f,
  // of the parameters before the update
  weight: vec2f,
  // of what the update changed
  change: vec2f,
}

struct Squares {
  low: vec4f,
  high: vec4f,
}

// What this lane has summed. Variables of the module: carried through the update's loop they would slow down updates that
// note nothing.
var<private> gradient_squares: Squares;
var<private> weight_squares: Squares;
var<private> change_squares: Squares;
var<workgroup> noted_lanes: array<Noted, workgroup_size>;

fn note(before: vec4f, after: vec4f, gradient: vec4f, inside: vec4<bool>) {
  add_squares(&gradient_squares, gradient, inside);
  add_squares(&weight_squares, before, inside);
  add_squares(&change_squares, after - before, inside);
}

fn add_squares(squares: ptr<private, Squares>, x: vec4f, inside: vec4<bool>) {
  let high = abs(x) >= vec4f(0x1p+9f);
  let scaled = x * select(vec4f(0x1p+47f), vec4f(0x1p-72f), high);
  let square = select(vec4f(), scaled * scaled, inside);
  (*squares).low += select(square, vec4f(), high);
  (*squares).high += select(vec4f(), square, high);
}

fn total(squares: Squares) -> vec2f {
  let pairs = vec4f(squares.low.xy + squares.low.zw, squares.high.xy + squares.high.zw);
  return pairs.xz + pairs.yw;
}

fn store_noted(place: u32, lane: u32) {
  let mine = Noted(total(gradient_squares), total(weight_squares), total(change_squares));
  if (!barriers) {
    noted[place * workgroup_size + lane] = mine;
    return;
  }
  noted_lanes[lane] = mine;
  workgroupBarrier();
  for (var half = workgroup_size / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = noted_lanes[lane + half];
      let own = noted_lanes[lane];
      noted_lanes[lane] = Noted(own.gradient + other.gradient, own.weight + other.weight, own.change + other.change);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    noted[place] = noted_lanes[0];
  }
}
