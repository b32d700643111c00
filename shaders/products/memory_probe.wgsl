// Whether a workgroup may hold this many vec4s and meet at barriers after an early return that depends on loaded values, as in
// sliced.wgsl and tiled.wgsl: some compilers for Direct3D refuse such barriers, and a driver may keep memory for itself. Twice
// each lane leaves numbers for another lane; at the end it reports what it finds.
override lanes: u32;
override vec4s: u32;

@group(0) @binding(0) var<storage, read_write> received: array<u32>;
@group(0) @binding(1) var<storage, read> zeros: array<u32>;

var<workgroup> memory: array<vec4f, vec4s>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  if (zeros[group.z] == 2u) {
    return;
  }
  var found = 0.0;
  for (var round = 0u; round < 2u; round++) {
    for (var i = index; i < vec4s; i += lanes) {
      memory[i] = vec4f(f32(i + round));
    }
    workgroupBarrier();
    found = memory[vec4s - 1u - index].w;
    workgroupBarrier();
  }
  received[index] = u32(found);
}
