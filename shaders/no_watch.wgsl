// In place of watch.wgsl where nothing is noted.
fn note(before: vec4f, after: vec4f, gradient: vec4f, inside: vec4<bool>) {
}

fn store_noted(place: u32, lane: u32) {
}
