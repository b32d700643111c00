// Turns the count into 1 / the share of the update that caution keeps.
fn conclude_bin(replica: u32, record: u32, factored: bool, sum: Sum, h: Row) {
  if (sum.count > 0.0) {
    store_cautious(replica, record, 1.0 / max(sum.kept / sum.count, 1e-3));
  }
}
