// The gradient of a chunk as the rule sees it: signed, unscaled, clipped. Modifiers change it in the generated `modify_gradient`,
// given the elements' places in the tensor.
fn gradient_of(chunk: Chunk, e: u32, inside: vec4<bool>, scale: vec2f, h: Row) -> vec4f {
  let g = scaled(load_gradients(chunk.gradients, e, inside), scale);
  return modify_gradient(g, vec4u(0u, 1u, 2u, 3u) + (chunk.start + e), chunk.places, h);
}
