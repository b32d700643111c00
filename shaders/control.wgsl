// The control buffer: what the steps of one replica share, kept on the GPU so that no step needs the host. Its layout is
// read back by src/gpu/control.ts, and a test compares the two. A replica has a record for each bin of clipping; all but
// the norm and the scale of a bin stand in its first.
struct Control {
  // completed updates, which is also the 0-based step of the next one
  step: atomic<u32>,
  // workgroups (or lanes) of the running update that are done; 0 between updates
  arrived: atomic<u32>,
  // 1 while the running update must leave everything unchanged, 2 while the replica is halted
  skip: u32,
  // updates skipped so far because a gradient was not finite
  skipped: u32,
  // norm of the last gradient, before clipping
  gradient_norm: f32,
  // what clipping by a global norm multiplies the gradient by
  clip_scale: f32,
  // how many checkpoints were loaded: tells copies of this buffer from before a load from those after it
  epoch: u32,
  // what the next loss is to be multiplied by
  loss_scale: f32,
  // updates since the loss scale changed or one was skipped
  good_steps: u32,
  // 1 once the loss scale should have fallen below its least: no more updates
  underflow: u32,
  // of this bin of clipping: the norm, and what the update multiplies the gradient by
  norm: f32,
  scale: f32,
  // gradients added up since the last update; 0 where each of them makes one
  micro: atomic<u32>,
  // updates that left everything as it was, since the table no longer held their rows
  astray: u32,
  // gradients that were not added, since those of an update were all there and no update had been encoded
  missed: u32,
  // what the gradient is multiplied by before `scale`: what undoes the loss scale, and a power of two where `scale` alone
  // would be less than float32 holds
  shrink: f32,
  // powers of two that the norms and the clip scale are to be multiplied by: more, or less, than float32 holds
  norm_power: f32,
  gradient_power: f32,
  clip_power: f32,
}

const halted = 2u;
