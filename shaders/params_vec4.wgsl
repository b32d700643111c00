// Parameters four at a time. What lies behind a tensor stays as it was: padding is zero, and in a caller's buffer it is the
// caller's.
fn load_params(first: u32, e: u32, inside: vec4<bool>) -> vec4f {
  return params[first + e / 4u];
}

fn store_params(first: u32, e: u32, p: vec4f) {
  params[first + e / 4u] = p;
}

fn store_params_inside(first: u32, e: u32, p: vec4f, inside: vec4<bool>) {
  let to = first + e / 4u;
  if (inside[0]) {
    params[to][0] = p[0];
  }
  if (inside[1]) {
    params[to][1] = p[1];
  }
  if (inside[2]) {
    params[to][2] = p[2];
  }
  if (inside[3]) {
    params[to][3] = p[3];
  }
}
