// Philox4x32-10, as in src/base/random.ts.
fn philox(counter: vec4u, start: vec2u) -> vec4u {
  var x = counter;
  var key = start;
  for (var round = 0u; round < 10u; round++) {
    let high = vec2u(multiply_high(0xd2511f53u, x.x), multiply_high(0xcd9e8d57u, x.z));
    x = vec4u(high.y ^ x.y ^ key.x, 0xcd9e8d57u * x.z, high.x ^ x.w ^ key.y, 0xd2511f53u * x.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return x;
}

// The upper half of a 64-bit product.
fn multiply_high(x: u32, y: u32) -> u32 {
  let x_low = x & 0xffffu;
  let x_high = x >> 16u;
  let y_low = y & 0xffffu;
  let y_high = y >> 16u;
  let middle = x_high * y_low + ((x_low * y_low) >> 16u);
  let carry = x_low * y_high + (middle & 0xffffu);
  return x_high * y_high + (middle >> 16u) + (carry >> 16u);
}
