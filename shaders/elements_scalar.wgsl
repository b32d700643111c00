// In place of elements_vec4.wgsl where buffers hold single elements.
fn gradient_elements(i: vec4u) -> vec4f {
  return vec4f(gradients[i.x], gradients[i.y], gradients[i.z], gradients[i.w]);
}

fn param_elements(i: vec4u) -> vec4f {
  return vec4f(params[i.x], params[i.y], params[i.z], params[i.w]);
}
