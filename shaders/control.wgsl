// The control buffer: what the steps of one optimizer share, kept on the GPU so that no step needs the host. Its layout
// is read back by src/gpu/control.ts, and a test compares the two.
struct Control {
  // completed updates, which is also the 0-based step of the next one
  step: atomic<u32>,
  // workgroups (or lanes) of the running update that are done; 0 between updates
  arrived: atomic<u32>,
  // 1 while the running update must leave everything unchanged
  skip: u32,
  // updates skipped so far because a gradient was not finite
  skipped: u32,
  // norm of the last gradient, before clipping
  gradient_norm: f32,
  // what the update multiplies the gradient by
  clip_scale: f32,
  // the norm above which the gradient is scaled down
  max_norm: f32,
  // how many checkpoints were loaded: tells copies of this buffer from before a load from those after it
  epoch: u32,
}
