// A product in registers, without barriers: a lane computes 16 × 8 elements, as 4 × 2 blocks. Its blocks lie a workgroup's
// width apart, so that lanes side by side read vec4s side by side.
override width: u32;
override height: u32;

@compute @workgroup_size(width, height)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) index: u32
) {
  let instance = group.z;
  let tile = group.y * groups.x + group.x;
  if (!has_tile(instance, tile, 4u * height, 2u * width, width * height, index)) {
    return;
  }
  let m = 4u * ((tile / sizes.tiles_across) * height + lane.y);
  let n = (tile % sizes.tiles_across) * 2u * width + lane.x;
  let from_a = matrix_a(instance);
  let from_b = matrix_b(instance);
  let blocks = depth();
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  var c20 = mat4x4f();
  var c21 = mat4x4f();
  var c30 = mat4x4f();
  var c31 = mat4x4f();
  for (var k = 0u; k < blocks; k++) {
    let b0 = block_b(from_b, k, n);
    let b1 = block_b(from_b, k, n + width);
    let a0 = rows_of_a(from_a, m, k, lane.x);
    c00 += b0 * a0;
    c01 += b1 * a0;
    let a1 = rows_of_a(from_a, m + 1u, k, lane.x);
    c10 += b0 * a1;
    c11 += b1 * a1;
    let a2 = rows_of_a(from_a, m + 2u, k, lane.x);
    c20 += b0 * a2;
    c21 += b1 * a2;
    let a3 = rows_of_a(from_a, m + 3u, k, lane.x);
    c30 += b0 * a3;
    c31 += b1 * a3;
  }
  var found = array<mat4x4f, 8>(c00, c01, c10, c11, c20, c21, c30, c31);
  for (var i = 0u; i < 8u; i++) {
    finish_block(instance, m + i / 2u, n + (i % 2u) * width, found[i]);
  }
}
