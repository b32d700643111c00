// The result of a rule's sums; where nothing was summed, since all is frozen, the scalars only get their first values.
fn conclude_bin(replica: u32, record: u32, factored: bool, sum: Sum, h: Row) {
  var r = scalars_before(replica, record, factored, h);
  if (sum.count > 0.0) {
    r = conclude(totals_of(sum), r, h);
  }
  store_scalars(replica, record, r);
}
