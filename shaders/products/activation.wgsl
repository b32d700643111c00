// Activations and their derivatives, in the order of src/engines/products/activation.ts. A derivative is formed from what the
// forward pass keeps: the activation's value, or its input for gelu and silu.

const gelu = 4u;
const silu = 5u;

fn keeps_input() -> bool {
  return sizes.activation == gelu || sizes.activation == silu;
}

// NaN stays NaN: relu's comparison may be compiled into a maximum, which loses it, and so do the functions of some adapters.
fn activate(x: vec4f) -> vec4f {
  return select(of_number(x), x, nan_in(x));
}

fn of_number(x: vec4f) -> vec4f {
  switch sizes.activation {
    case 1u: { return select(x, vec4f(), x < vec4f()); }
    // Where tanh is 1 in float32, it overflows on some adapters.
    case 2u: { return select(tanh(x), sign(x), abs(x) > vec4f(10.0)); }
    case 3u: { return sigmoid(x); }
    case gelu: { return x * normal(x); }
    case silu: { return x * sigmoid(x); }
    default: { return x; }
  }
}

fn slope(kept: vec4f) -> vec4f {
  switch sizes.activation {
    case 1u: { return select(vec4f(), vec4f(1.0), kept > vec4f()); }
    case 2u: { return 1.0 - kept * kept; }
    case 3u: { return kept * (1.0 - kept); }
    case gelu: { return normal(kept) + kept * exp(-0.5 * kept * kept) * 0.3989422804; }
    case silu: {
      let s = sigmoid(kept);
      return s * (1.0 + kept * (1.0 - s));
    }
    default: { return vec4f(1.0); }
  }
}

// The exponential never exceeds 1, so nothing overflows; on some adapters that of NaN is 0.
fn sigmoid(x: vec4f) -> vec4f {
  let small = exp(-abs(x));
  let share = 1.0 / (1.0 + small);
  return select(select(share, small * share, x < vec4f()), x, nan_in(x));
}

// The distribution function of the standard normal, (1 + erf(x / √2)) / 2, within 1e-7, by Hastings' approximation
// (Abramowitz and Stegun 1964, 7.1.26).
fn normal(x: vec4f) -> vec4f {
  let z = abs(x) * 0.7071067812;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * series * exp(-z * z);
  return select(1.0 - tail, tail, x < vec4f());
}
