// Invocations along x, and along y too where there are more workgroups than one dimension allows.
const lanes = 64u;

fn linear(position: vec3u, workgroups: vec3u, lane: u32) -> u32 {
  return (position.y * workgroups.x + position.x) * lanes + lane;
}
