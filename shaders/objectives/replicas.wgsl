// Replicas lie in the third dimension of a dispatch. A halted replica keeps its values: its workgroups return at once. `control`
// is the optimizer's control buffer; the strides of other buffers' replicas are in a kernel's own sizes.
// in words, from one replica's record to the next
override control_stride: u32;
// index of `skip` in the first replica's record; it is 2 while the replica is halted
override skip_index: u32;

fn halted(replica: u32) -> bool {
  return control[replica * control_stride + skip_index] == 2u;
}
