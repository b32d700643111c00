// In place of state_vec4.wgsl where some slots are in other formats: entries of one word.
var<private> state_begin: u32;

fn state_element(word: u32) -> f32 {
  return bitcast<f32>(state[word]);
}

fn load_state(word: u32) -> vec4f {
  return bitcast<vec4f>(vec4u(state[word], state[word + 1u], state[word + 2u], state[word + 3u]));
}

fn store_state(word: u32, x: vec4f) {
  let words = bitcast<vec4u>(x);
  state[word] = words.x;
  state[word + 1u] = words.y;
  state[word + 2u] = words.z;
  state[word + 3u] = words.w;
}

// An element's place in a slot, counted in fours, each of as many words as the slot's format takes; the replica's start is apart.
fn place_in_slots(element: u32, replica: u32) -> u32 {
  state_begin = replica * sizes.state_stride;
  return element / 4u;
}
