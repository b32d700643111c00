// How every kernel is cut.
override workgroup_size: u32;
// Emulated GPUs spend longer on barriers than on the work between them: there every lane stands for itself.
override barriers: bool;

// The place of a workgroup among those of one replica, whose number may exceed what one dimension holds.
fn index_of(position: vec3u, workgroups: vec3u) -> u32 {
  return position.y * workgroups.x + position.x;
}
