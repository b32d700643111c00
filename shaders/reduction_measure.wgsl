// What a rule's `measure` goes by: in the first update the scalars begin.
fn scalars_to_measure(replica: u32, chunk: Chunk, h: Row) -> Scalars {
  return scalars_before(replica, chunk.record, is_factored(chunk), h);
}
