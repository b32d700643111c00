// The state where every slot is float32: entries of four. Places are in words.
fn state_element(word: u32) -> f32 {
  return state[word / 4u][word % 4u];
}

fn load_state(word: u32) -> vec4f {
  return state[word / 4u];
}

fn store_state(word: u32, x: vec4f) {
  state[word / 4u] = x;
}

// An element's place in a replica's slots, in entries.
fn place_in_slots(element: u32, replica: u32) -> u32 {
  return (element + replica * sizes.state_stride) / 4u;
}
