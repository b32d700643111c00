// A product by tiles: a workgroup loads 16 columns of A's tile and 16 rows of B's into its memory, and a lane adds up 8 × 8
// elements from it, or 4 × 4 where tiles are small.
override width: u32;
override height: u32;
// blocks of 4 × 4 that a lane has in each direction, 1 or 2
override side_blocks: u32;

const steps = 16u;

var<workgroup> a_tile: array<Kept, steps * height * side_blocks>;
var<workgroup> b_tile: array<Kept, steps * width * side_blocks>;

fn outer(across: vec4f, down: vec4f) -> mat4x4f {
  return mat4x4f(across * down.x, across * down.y, across * down.z, across * down.w);
}

@compute @workgroup_size(width, height)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) index: u32
) {
  let instance = group.z;
  let tile = group.y * groups.x + group.x;
  if (halted(instance)) {
    return;
  }
  begin(instance);
  if (tile >= sizes.tiles) {
    beyond_tiles(instance, (tile - sizes.tiles) * width * height + index);
    return;
  }
  if (is_above(tile, height * side_blocks, width * side_blocks)) {
    return;
  }
  let down = height * side_blocks;
  let across = width * side_blocks;
  let m = (tile / sizes.tiles_across) * down;
  let n = (tile % sizes.tiles_across) * across;
  let from_a = matrix_a(instance);
  let from_b = matrix_b(instance);
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  for (var k = 0u; k < depth(); k += steps / 4u) {
    for (var i = index; i < down * steps / 4u; i += width * height) {
      // Of a step there is one vec4 for each four rows.
      let step = i / down;
      let columns = transpose(block_of_a(from_a, m + i % down, k + step));
      let at = 4u * step * down + i % down;
      a_tile[at] = Kept(columns[0]);
      a_tile[at + down] = Kept(columns[1]);
      a_tile[at + 2u * down] = Kept(columns[2]);
      a_tile[at + 3u * down] = Kept(columns[3]);
    }
    for (var i = index; i < across * steps / 4u; i += width * height) {
      let step = i / across;
      let rows = block_of_b(from_b, k + step, n + i % across);
      let at = 4u * step * across + i % across;
      b_tile[at] = Kept(rows[0]);
      b_tile[at + across] = Kept(rows[1]);
      b_tile[at + 2u * across] = Kept(rows[2]);
      b_tile[at + 3u * across] = Kept(rows[3]);
    }
    workgroupBarrier();
    for (var step = 0u; step < steps; step++) {
      let a0 = vec4f(a_tile[step * down + lane.y]);
      let b0 = vec4f(b_tile[step * across + lane.x]);
      c00 += outer(b0, a0);
      if (side_blocks == 2u) {
        let a1 = vec4f(a_tile[step * down + lane.y + height]);
        let b1 = vec4f(b_tile[step * across + lane.x + width]);
        c01 += outer(b1, a0);
        c10 += outer(b0, a1);
        c11 += outer(b1, a1);
      }
    }
    workgroupBarrier();
  }
  var found = array<mat4x4f, 4>(c00, c01, c10, c11);
  for (var i = 0u; i < side_blocks * side_blocks; i++) {
    finish_block(instance, m + lane.y + (i / 2u) * height, n + lane.x + (i % 2u) * width, found[i]);
  }
}

// A tile may reach beyond k, where blocks are not only partly zero.
fn block_of_a(x: Matrix, m: u32, k: u32) -> mat4x4f {
  if (k >= depth()) {
    return mat4x4f();
  }
  return block_a(x, m, k);
}

fn block_of_b(x: Matrix, k: u32, n: u32) -> mat4x4f {
  if (k >= depth()) {
    return mat4x4f();
  }
  return block_b(x, k, n);
}
