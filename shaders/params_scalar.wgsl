// In place of params_vec4.wgsl where elements are read and written one by one: past the end of a tensor there may be another
// tensor, so nothing is written there.
fn load_params(first: u32, e: u32, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(
    params[first + select(e, e + 0u, inside[0])],
    params[first + select(e, e + 1u, inside[1])],
    params[first + select(e, e + 2u, inside[2])],
    params[first + select(e, e + 3u, inside[3])]), inside);
}

fn store_params(first: u32, e: u32, inside: vec4<bool>, p: vec4f) {
  // The first of four is always inside: the others default to it.
  params[first + e] = p[0];
  params[first + select(e, e + 1u, inside[1])] = select(p[0], p[1], inside[1]);
  params[first + select(e, e + 2u, inside[2])] = select(p[0], p[2], inside[2]);
  params[first + select(e, e + 3u, inside[3])] = select(p[0], p[3], inside[3]);
}

fn params_behind(first: u32, length: u32) -> vec4f {
  return vec4f();
}

fn restore_behind(first: u32, length: u32, behind: vec4f, lane: u32) {
}
