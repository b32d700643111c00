// What an update notes of itself, chunk by chunk: sums of squares from which the host makes the norms of each tensor.
struct Noted {
  // of the gradient as the rule took it
  gradient: f32,
  // of the parameters before the update
  weight: f32,
  // of what the update changed
  change: f32,
}

// What this lane has summed. A variable of the module: carried through the update's loop it would slow down updates that
// note nothing.
var<private> squares: array<vec4f, 3>;
var<workgroup> noted_lanes: array<Noted, workgroup_size>;

fn note(before: vec4f, after: vec4f, gradient: vec4f, inside: vec4<bool>) {
  let g = select(vec4f(), gradient, inside);
  let p = select(vec4f(), before, inside);
  let d = select(vec4f(), after - before, inside);
  squares[0] += g * g;
  squares[1] += p * p;
  squares[2] += d * d;
}

fn total(x: vec4f) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}

fn store_noted(place: u32, lane: u32) {
  let mine = Noted(total(squares[0]), total(squares[1]), total(squares[2]));
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
