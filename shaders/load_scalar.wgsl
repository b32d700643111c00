// In place of load_vec4.wgsl where elements are read one by one.
const entry_length = 1u;

fn load_gradients(first: u32, e: u32, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(
    gradients[first + select(e, e + 0u, inside[0])],
    gradients[first + select(e, e + 1u, inside[1])],
    gradients[first + select(e, e + 2u, inside[2])],
    gradients[first + select(e, e + 3u, inside[3])]), inside);
}
