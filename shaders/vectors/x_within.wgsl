// Where x lies in the buffer of y, which WebGPU cannot bind twice.
fn x_at(i: u32) -> vec4f {
  return y[i];
}
