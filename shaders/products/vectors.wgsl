// A product in registers, without barriers or workgroup memory: a lane computes 8 × 8 elements, or 4 × 4, in vec4s. Its blocks
// lie a workgroup's width and height apart, so that lanes side by side read vec4s side by side.
override width: u32;
override height: u32;
// a lane's blocks of 4 × 4 in each direction, 1 or 2
override side_blocks: u32;

@compute @workgroup_size(width, height)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) index: u32
) {
  let instance = group.z;
  let tile = group.y * groups.x + group.x;
  if (!has_tile(instance, tile, side_blocks * height, side_blocks * width, width * height, index)) {
    return;
  }
  let m = (tile / sizes.tiles_across) * side_blocks * height + lane.y;
  let n = (tile % sizes.tiles_across) * side_blocks * width + lane.x;
  let from_a = matrix_a(instance);
  let from_b = matrix_b(instance);
  let blocks = depth();
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  for (var k = 0u; k < blocks; k++) {
    let a0 = block_a(from_a, m, k);
    let b0 = block_b(from_b, k, n);
    c00 += b0 * a0;
    if (side_blocks == 2u) {
      let a1 = block_a(from_a, m + height, k);
      let b1 = block_b(from_b, k, n + width);
      c01 += b1 * a0;
      c10 += b0 * a1;
      c11 += b1 * a1;
    }
  }
  var found = array<mat4x4f, 4>(c00, c01, c10, c11);
  for (var i = 0u; i < side_blocks * side_blocks; i++) {
    finish_block(instance, m + (i / 2u) * height, n + (i % 2u) * width, found[i]);
  }
}
