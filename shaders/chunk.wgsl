// One entry of the chunk table: what one workgroup works on, in elements of the arena.
struct Chunk {
  offset: u32,
  length: u32,
  // the group whose row of the table it takes
  group: u32,
  segment: u32,
}

// Which elements of a chunk's last vec4 are the tensor's own; the others are padding, which is zero and stays zero.
fn inside_last(chunk: Chunk) -> vec4<bool> {
  return vec4u(0u, 1u, 2u, 3u) <= vec4u((chunk.length - 1u) % 4u);
}
