// Multiplies the gradient of each unit by the factor that clip_adaptive_lines.wgsl computed from the unit's norms.
fn unit_scale(places: Places, t: u32) -> f32 {
  return state_element(places.units + t % places.units_columns);
}

fn clip_adaptive_gradient(g: vec4f, t: vec4u, places: Places, h: Row) -> vec4f {
  let scales = vec4f(
    unit_scale(places, t.x), unit_scale(places, t.y), unit_scale(places, t.z), unit_scale(places, t.w));
  return select(scales * g, -scales * (g * 0x1p-80f), scales < vec4f());
}
