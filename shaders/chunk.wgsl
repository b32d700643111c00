// One entry of the chunk table: what one workgroup works on, in elements of the arena.
struct Chunk {
  offset: u32,
  length: u32,
  // the group whose row of the table it takes
  group: u32,
  segment: u32,
}
