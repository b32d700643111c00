// A product by tiles: a workgroup loads 16 columns of A's tile and 16 rows of B's into its memory, from which a lane computes 8 ×
// 8 elements, or 4 × 4 in small tiles.
override width: u32;
override height: u32;
// a lane's blocks of 4 × 4 in each direction, 1 or 2
override side_blocks: u32;

const steps = 16u;

var<workgroup> a_tile: array<Kept, steps * height * side_blocks>;
var<workgroup> b_tile: array<Kept, steps * width * side_blocks>;

// A lane's sums.
struct Blocks {
  c00: mat4x4f,
  c01: mat4x4f,
  c10: mat4x4f,
  c11: mat4x4f,
}

// The places of a lane's vec4s of one step in the tiles.
struct Step {
  a: u32,
  b: u32,
}

fn outer(across: vec4f, down: vec4f) -> mat4x4f {
  return mat4x4f(across * down.x, across * down.y, across * down.z, across * down.w);
}

fn add_step(c: ptr<function, Blocks>, at: Step) {
  let a0 = vec4f(a_tile[at.a]);
  let b0 = vec4f(b_tile[at.b]);
  (*c).c00 += outer(b0, a0);
  if (side_blocks == 2u) {
    let a1 = vec4f(a_tile[at.a + height]);
    let b1 = vec4f(b_tile[at.b + width]);
    (*c).c01 += outer(b1, a0);
    (*c).c10 += outer(b0, a1);
    (*c).c11 += outer(b1, a1);
  }
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
  let down = height * side_blocks;
  let across = width * side_blocks;
  if (!has_tile(instance, tile, down, across, width * height, index)) {
    return;
  }
  let m = (tile / sizes.tiles_across) * down;
  let n = (tile % sizes.tiles_across) * across;
  let from_a = matrix_a(instance);
  let from_b = matrix_b(instance);
  var c = Blocks();
  for (var k = 0u; k < depth(); k += steps / 4u) {
    for (var i = index; i < down * steps / 4u; i += width * height) {
      // A step has one vec4 for every four rows.
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
    // Written out in part: compilers leave a loop of this size rolled.
    for (var step = 0u; step < steps; step += 4u) {
      let at = Step(step * down + lane.y, step * across + lane.x);
      add_step(&c, at);
      add_step(&c, Step(at.a + down, at.b + across));
      add_step(&c, Step(at.a + 2u * down, at.b + 2u * across));
      add_step(&c, Step(at.a + 3u * down, at.b + 3u * across));
    }
    workgroupBarrier();
  }
  var found = array<mat4x4f, 4>(c.c00, c.c01, c.c10, c.c11);
  for (var i = 0u; i < side_blocks * side_blocks; i++) {
    finish_block(instance, m + lane.y + (i / 2u) * height, n + lane.x + (i % 2u) * width, found[i]);
  }
}

// A tile may reach beyond k; blocks there are zero as a whole.
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
