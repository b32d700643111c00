// Subtracts from each element of the gradient its line's mean (Yong et al. 2020); a tensor without lines is left alone.
fn centralize_gradient(g: vec4f, t: vec4u, places: Places, h: Row) -> vec4f {
  let width = max(places.centers_columns, 1u);
  let line = select(t % width, t / width, places.centers_along_rows != 0u);
  let at = vec4u(places.centers) + line;
  let means = vec4f(state_element(at.x), state_element(at.y), state_element(at.z), state_element(at.w));
  return g - select(means, vec4f(), places.centers_columns == 0u);
}
