// The scalars that a rule's `measure` sees: their first values in the first update.
fn scalars_to_measure(replica: u32, chunk: Chunk, h: Row) -> Scalars {
  return scalars_before(replica, chunk.record, is_factored(chunk), h);
}
