// Whether the invocations of a quad are four in a row, as quad_blocks.wgsl assumes and WGSL does not promise: each reports whose
// values it received.
enable subgroups;

override width: u32;
override height: u32;

@group(0) @binding(0) var<storage, read_write> received: array<vec4u>;

@compute @workgroup_size(width, height)
fn main(@builtin(local_invocation_id) lane: vec3u) {
  let index = lane.y * width + lane.x;
  received[index] = vec4u(
    quadBroadcast(index, 0u),
    quadBroadcast(index, 1u),
    quadBroadcast(index, 2u),
    quadBroadcast(index, 3u)
  );
}
