// Writes the matrices that are to be made orthogonal: the rule's `prepare` of every element.
@group(0) @binding(7) var<storage, read_write> prepared: array<vec4f>;

override prepared_stride: u32;

@compute @workgroup_size(workgroup_size)
fn main(
  @builtin(workgroup_id) position: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = position.y * workgroups.x + position.x;
  if (index >= arrayLength(&chunks)) {
    return;
  }
  let replica = position.z;
  let chunk = chunks[index];
  let h = row_of(replica, chunk.group);
  begin_chunk(replica, chunk, h, lane);
  let r = scalars_of(replica, chunk.record, chunk.rows != 0u);
  let scale = h.gradient_scale * control[replica].scales[chunk.bin];
  let length = select(chunk.length, 0u, control[replica].skip == halted);
  for (var e = 4u * lane; e < length; e += 4u * workgroup_size) {
    let inside = inside(chunk, e);
    let x = prepare(load_cell(replica, chunk, e, inside, h), gradient_of(replica, chunk, e, inside, scale, h), h, r);
    prepared[replica * prepared_stride + (chunk.state + e) / 4u] = select(vec4f(), x, inside);
  }
}
