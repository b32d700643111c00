// Loss and its derivative in one kernel, one thread an example: -log softmax(logits)[label], whether the largest logit is
// the label's, and in place of the logits the derivative of the batch's mean loss. The largest logit is taken off first,
// so no logit is too large. Rows beyond the batch's count get a derivative of zero. The derivative is that of the loss times
// the optimizer's loss scale.
@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> outcomes: array<Outcome>;
@group(0) @binding(4) var<storage, read> control: array<u32>;

override classes: u32;
override capacity: u32;
// where the scale is in the record of the first replica
override loss_scale_index: u32;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let replica = id.z;
  if (row >= capacity || halted(replica)) {
    return;
  }
  let example = replica * capacity + row;
  let first = example * classes;
  if (row >= batch.count) {
    for (var c = 0u; c < classes; c++) {
      logits[first + c] = 0.0;
    }
    outcomes[example] = Outcome(0.0, 0u);
    return;
  }
  let label = labels[batch.rows[row]];
  var top = logits[first];
  var best = 0u;
  for (var c = 1u; c < classes; c++) {
    let logit = logits[first + c];
    best = select(best, c, logit > top);
    top = max(top, logit);
  }
  var total = 0.0;
  for (var c = 0u; c < classes; c++) {
    total += exp(logits[first + c] - top);
  }
  let loss = log(total) + (top - logits[first + label]);
  // Of logits that are no numbers none is the largest.
  let finite = (bitcast<u32>(loss) & 0x7f800000u) != 0x7f800000u;
  outcomes[example] = Outcome(loss, select(0u, 1u, finite && best == label));
  let scale = bitcast<f32>(control[replica * control_stride + loss_scale_index]);
  for (var c = 0u; c < classes; c++) {
    let share = exp(logits[first + c] - top) / total;
    logits[first + c] = (share - select(0.0, 1.0, c == label)) / f32(batch.count) * scale;
  }
}
