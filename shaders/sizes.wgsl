// The sizes and numbers of one part of an optimizer. They are no constants: an optimizer over other tensors, in other groups
// or replicas, finds its kernels compiled. src/gpu/sizes.ts writes them, and a test compares the two.
struct Sizes {
  replicas: u32,
  // records of the control buffer for each replica
  clip_bins: u32,
  // the table (table.wgsl): slots of a replica's two rings, words of a slot, where this part's rows begin, which of them is
  // that of all groups together, words of a row
  slots: u32,
  near_slots: u32,
  slot_words: u32,
  row_offset: u32,
  common_row: u32,
  column_count: u32,
  // elements from one replica to the next: of the arenas, of sums of gradients, of the state
  params_stride: u32,
  sum_stride: u32,
  state_stride: u32,
  // where the slots behind a factored one begin, in vec4s
  behind_factored: u32,
  // of one replica: chunks, their partial sums, records of the scalars
  chunk_total: u32,
  partial_count: u32,
  record_count: u32,
  // gradients whose mean makes an update; 0 where each of them makes one
  accumulate: u32,
  // updates after which the loss scale grows
  interval: u32,
  growth: f32,
  // by what it falls, and how far
  backoff: f32,
  least_scale: f32,
  // 1 over the number of gradients that are added up
  mean: f32,
  // clipping by the norm, and by units
  max_norm: f32,
  clipping: f32,
  least_norm: f32,
}
