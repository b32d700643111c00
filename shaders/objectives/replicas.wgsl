// Replicas lie in the third dimension of a dispatch. One that is halted keeps what it has, and its workgroups return at once.
// `control` is the optimizer's control buffer; how far apart other buffers' replicas are, a kernel's own sizes say.
// in words, from one replica's record to the next
override control_stride: u32;
// where the word is, in the record of the first replica, that is 2 while it is halted
override skip_index: u32;

fn halted(replica: u32) -> bool {
  return control[replica * control_stride + skip_index] == 2u;
}
