// Gradients of the arena, or of a buffer whose tensors lie so that four elements can be read at once: the four from the e-th on
// of a chunk that starts at `first`, in entries of the array.
const entry_length = 4u;

fn load_gradients(first: u32, e: u32, inside: vec4<bool>) -> vec4f {
  return gradients[first + e / 4u];
}
