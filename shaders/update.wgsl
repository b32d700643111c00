// The driver of every rule: one workgroup updates one chunk, and the last one to finish advances the step. The
// structs Cell and Row, load_cell and store_cell stand in the header that src/assemble.ts generates; `update` is the rule.
struct Table {
  first_step: u32,
  steps: u32,
  rows: array<Row>,
}

@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(4) var<storage, read> table: Table;
@group(0) @binding(5) var<storage, read_write> control: Control;

override workgroup_size: u32;
override chunk_count: u32;
override group_count: u32;
// Emulated GPUs spend longer on a barrier than on the update: there every lane counts itself out.
override barriers: bool;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= chunk_count) {
    return;
  }
  let step = atomicLoad(&control.step);
  let skip = control.skip != 0u;
  if (!skip) {
    let chunk = chunks[index];
    // Steps that were skipped unseen may have fallen behind the window; they get its first row.
    let row_step = clamp(step, table.first_step, table.first_step + table.steps - 1u) - table.first_step;
    let row = table.rows[row_step * group_count + chunk.group];
    let scale = row.gradient_sign * control.clip_scale;
    let first = chunk.offset / 4u;
    let end = first + (chunk.length + 3u) / 4u;
    let inside = inside_last(chunk);
    for (var i = first + lane; i < end; i += workgroup_size) {
      let x = update(load_cell(i), scale * gradients[i], row);
      if (i + 1u < end) {
        store_cell(i, x);
      } else {
        store_cell(i, clear_outside(x, inside));
      }
    }
  }
  // Whoever is counted out has read the step; the last one advances it.
  var last = false;
  if (barriers) {
    workgroupBarrier();
    if (lane == 0u) {
      last = atomicAdd(&control.arrived, 1u) == chunk_count - 1u;
    }
  } else {
    last = atomicAdd(&control.arrived, 1u) == chunk_count * workgroup_size - 1u;
  }
  if (last) {
    atomicStore(&control.arrived, 0u);
    atomicStore(&control.step, select(step + 1u, step, skip));
  }
}
