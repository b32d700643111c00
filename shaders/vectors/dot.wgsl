// The sum of a dot product.
fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.value + b.value);
}

fn term(a: f32, b: f32) -> Sum {
  return Sum(a * b);
}

fn settled(sum: Sum) -> Sum {
  return sum;
}

fn result_of(total: Sum) -> f32 {
  return total.value;
}
