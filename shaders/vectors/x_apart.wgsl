// Where x has a binding of its own.
fn x_at(i: u32) -> vec4f {
  return x[i];
}
