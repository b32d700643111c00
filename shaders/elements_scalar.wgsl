// In place of elements_vec4.wgsl where buffers hold single elements, so that four cannot be read at once.
const fours = false;

fn gradient_four(i: u32) -> vec4f {
  return gradient_elements(vec4u(i, i + 1u, i + 2u, i + 3u));
}

fn param_four(i: u32) -> vec4f {
  return param_elements(vec4u(i, i + 1u, i + 2u, i + 3u));
}

fn gradient_elements(i: vec4u) -> vec4f {
  return vec4f(gradients[i.x], gradients[i.y], gradients[i.z], gradients[i.w]);
}

fn param_elements(i: vec4u) -> vec4f {
  return vec4f(params[i.x], params[i.y], params[i.z], params[i.w]);
}
