// Elements for kernels that run along lines: one by one where they are not neighbours, in fours where lines start at one.
const fours = true;

fn gradient_four(i: u32) -> vec4f {
  return gradients[i / 4u];
}

fn param_four(i: u32) -> vec4f {
  return params[i / 4u];
}

fn gradient_elements(i: vec4u) -> vec4f {
  return vec4f(
    gradients[i.x / 4u][i.x % 4u], gradients[i.y / 4u][i.y % 4u],
    gradients[i.z / 4u][i.z % 4u], gradients[i.w / 4u][i.w % 4u]);
}

fn param_elements(i: vec4u) -> vec4f {
  return vec4f(
    params[i.x / 4u][i.x % 4u], params[i.y / 4u][i.y % 4u],
    params[i.z / 4u][i.z % 4u], params[i.w / 4u][i.w % 4u]);
}
