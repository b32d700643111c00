// A recurrent unit, h ← tanh(w·x + u·h), and the comparison of v·h after the last step with a target; w, u and v are parameters
// 0, 1 and 2. The twin is in src/lab/experiments/cascade_rnn.ts.
struct Unit {
  h: f32,
  // The derivatives of h by w and by u.
  by: vec2f,
}

fn unit(row: u32) -> Unit {
  var y = Unit(0.0, vec2f());
  for (var t = 0u; t < features; t++) {
    let x = input(row, t);
    // Where tanh is 1 in float32, it overflows on some adapters.
    let z = param(0u) * x + param(1u) * y.h;
    let h = select(tanh(z), sign(z), abs(z) > 10.0);
    y = Unit(h, (1.0 - h * h) * (vec2f(x, y.h) + param(1u) * y.by));
  }
  return y;
}

fn loss(row: u32) -> f32 {
  let off = param(2u) * unit(row).h - target_of(row, 0u);
  return off * off;
}

fn gradient(row: u32, i: u32) -> f32 {
  let y = unit(row);
  let off = 2.0 * (param(2u) * y.h - target_of(row, 0u));
  return off * select(param(2u) * select(y.by.x, y.by.y, i == 1u), y.h, i == 2u);
}
