// The shape of every kernel.
override workgroup_size: u32;
// Emulated GPUs spend longer on barriers than on the work between them: there every lane works alone.
override barriers: bool;

// The place of a workgroup among those of one replica, which may be more than one dimension allows.
fn index_of(position: vec3u, workgroups: vec3u) -> u32 {
  return position.y * workgroups.x + position.x;
}
