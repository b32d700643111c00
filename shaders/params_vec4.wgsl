// Parameters four at a time.
fn load_params(first: u32, e: u32, inside: vec4<bool>) -> vec4f {
  return params[first + e / 4u];
}

fn store_params(first: u32, e: u32, inside: vec4<bool>, p: vec4f) {
  params[first + e / 4u] = p;
}

// Elements past the end of a tensor keep their values: padding is zero, unused rows stay, and in a caller's buffer they are the
// caller's. The last four elements are stored as if all were the tensor's; then the others are restored.
fn params_behind(first: u32, length: u32) -> vec4f {
  return params[first + length / 4u];
}

fn restore_behind(first: u32, length: u32, behind: vec4f, lane: u32) {
  let last = length / 4u;
  if (length % 4u != 0u && lane == last % workgroup_size) {
    for (var i = length % 4u; i < 4u; i++) {
      params[first + last][i] = behind[i];
    }
  }
}
