// The first three derivatives of smooth activations by their inputs, in the order of src/engines/products/activation.ts.
struct Derivatives {
  first: vec4f,
  second: vec4f,
  third: vec4f,
}

fn derivatives(z: vec4f) -> Derivatives {
  switch sizes.activation {
    case 3u: { return of_sigmoid(sigmoid(z)); }
    case gelu: {
      let density = exp(-0.5 * z * z) * 0.3989422804;
      return Derivatives(normal(z) + z * density, density * (2.0 - z * z), density * z * (z * z - 4.0));
    }
    case silu: {
      let s = sigmoid(z);
      let inner = of_sigmoid(s);
      return Derivatives(s + z * inner.first, 2.0 * inner.first + z * inner.second, 3.0 * inner.second + z * inner.third);
    }
    // tanh
    default: {
      let y = activate(z);
      let first = 1.0 - y * y;
      return Derivatives(first, -2.0 * y * first, first * (6.0 * y * y - 2.0));
    }
  }
}

fn of_sigmoid(s: vec4f) -> Derivatives {
  let first = s * (1.0 - s);
  return Derivatives(first, first * (1.0 - 2.0 * s), first * (1.0 - 6.0 * first));
}
