// Where x is bound for itself.
fn x_at(i: u32) -> vec4f {
  return x[i];
}
