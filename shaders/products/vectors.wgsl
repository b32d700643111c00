// A product in registers, without barriers or workgroup memory: a lane computes 8 × 8 elements, or 4 × 4, in vec4s. Its blocks
// lie a workgroup's width and height apart, so that lanes side by side read vec4s side by side.
override width: u32;
override height: u32;
// blocks of 4 × 4 that a lane has in each direction, 1 or 2
override side_blocks: u32;

@compute @workgroup_size(width, height)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) index: u32
) {
  let replica = group.z;
  let tile = group.y * groups.x + group.x;
  if (halted(replica)) {
    return;
  }
  begin(replica);
  if (tile >= sizes.tiles) {
    beyond_tiles(replica, (tile - sizes.tiles) * width * height + index);
    return;
  }
  let m = (tile / sizes.tiles_across) * side_blocks * height + lane.y;
  let n = (tile % sizes.tiles_across) * side_blocks * width + lane.x;
  let from_a = matrix_a(replica);
  let from_b = matrix_b(replica);
  let blocks = depth();
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  for (var k = 0u; k < blocks; k++) {
    let a0 = block_a(from_a, m, k);
    let b0 = block_b(from_b, k, n);
    c00 = grown(c00, a0, b0);
    if (side_blocks == 2u) {
      let a1 = block_a(from_a, m + height, k);
      let b1 = block_b(from_b, k, n + width);
      c01 = grown(c01, a0, b1);
      c10 = grown(c10, a1, b0);
      c11 = grown(c11, a1, b1);
    }
  }
  finish_block(replica, m, n, c00);
  if (side_blocks == 2u) {
    finish_block(replica, m, n + width, c01);
    finish_block(replica, m + height, n, c10);
    finish_block(replica, m + height, n + width, c11);
  }
}

fn grown(c: mat4x4f, a: mat4x4f, b: mat4x4f) -> mat4x4f {
  return mat4x4f(row(c[0], a[0], b), row(c[1], a[1], b), row(c[2], a[2], b), row(c[3], a[3], b));
}

fn row(c: vec4f, a: vec4f, b: mat4x4f) -> vec4f {
  return c + a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}
