// Activations and their derivatives, chosen by an override constant; src/objectives/model.ts numbers them.
override activation: u32 = 0u;

fn activate(x: vec4f) -> vec4f {
  switch activation {
    case 1u: { return max(x, vec4f()); }
    case 2u: { return tanh(x); }
    default: { return x; }
  }
}

// the derivative, from the activation's value
fn slope(y: vec4f) -> vec4f {
  switch activation {
    case 1u: { return select(vec4f(), vec4f(1.0), y > vec4f()); }
    case 2u: { return 1.0 - y * y; }
    default: { return vec4f(1.0); }
  }
}
