// A product whose depth is cut into slices (split-K within a workgroup), for outputs of too few tiles to fill a GPU: each slice
// of the lanes computes the same tile over its share of the depth's blocks, a lane 4 × 4 elements of it, and the slices' sums
// meet in workgroup memory in a fixed order.
override width: u32;
override height: u32;
override slices: u32;

var<workgroup> parts: array<vec4f, 4u * width * height * slices>;

@compute @workgroup_size(width, height, slices)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) index: u32
) {
  let instance = group.z;
  let tile = group.y * groups.x + group.x;
  let lanes = width * height * slices;
  if (!has_tile(instance, tile, height, width, lanes, index)) {
    return;
  }
  let m = (tile / sizes.tiles_across) * height + lane.y;
  let n = (tile % sizes.tiles_across) * width + lane.x;
  let from_a = matrix_a(instance);
  let from_b = matrix_b(instance);
  var found = mat4x4f();
  for (var k = lane.z; k < depth(); k += slices) {
    found += block_b(from_b, k, n) * block_a(from_a, m, k);
  }
  // A lane's rows are one workgroup's lanes apart.
  parts[index] = found[0];
  parts[lanes + index] = found[1];
  parts[2u * lanes + index] = found[2];
  parts[3u * lanes + index] = found[3];
  workgroupBarrier();
  if (lane.z > 0u) {
    return;
  }
  for (var other = index + width * height; other < lanes; other += width * height) {
    found += mat4x4f(parts[other], parts[lanes + other], parts[2u * lanes + other], parts[3u * lanes + other]);
  }
  finish_block(instance, m, n, found);
}
