// Counts, for caution, the elements whose update does not go against the gradient.
fn terms(chunk: Chunk, e: u32, x: Cell, g: vec4f, h: Row, r: Scalars) -> Terms {
  let step = updated(x, g, h, r).step;
  return Terms(select(vec4f(), vec4f(1.0), signs_of(step) * signs_of(g) > vec4f()));
}

fn scalars_to_measure(replica: u32, chunk: Chunk, h: Row) -> Scalars {
  return scalars_of(replica, chunk.record, is_factored(chunk));
}
