// In place of params_vec4.wgsl where elements are read and written one by one.
fn load_params(first: u32, e: u32, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(
    params[first + select(e, e + 0u, inside[0])],
    params[first + select(e, e + 1u, inside[1])],
    params[first + select(e, e + 2u, inside[2])],
    params[first + select(e, e + 3u, inside[3])]), inside);
}

fn store_params(first: u32, e: u32, p: vec4f) {
  params[first + e + 0u] = p[0];
  params[first + e + 1u] = p[1];
  params[first + e + 2u] = p[2];
  params[first + e + 3u] = p[3];
}

fn store_params_inside(first: u32, e: u32, p: vec4f, inside: vec4<bool>) {
  if (inside[0]) {
    params[first + e + 0u] = p[0];
  }
  if (inside[1]) {
    params[first + e + 1u] = p[1];
  }
  if (inside[2]) {
    params[first + e + 2u] = p[2];
  }
  if (inside[3]) {
    params[first + e + 3u] = p[3];
  }
}
