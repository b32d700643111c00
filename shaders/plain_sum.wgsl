// The Sum of join.wgsl where it is a single number.
struct Sum {
  value: f32,
}

fn add_sums(a: Sum, b: Sum) -> Sum {
  return Sum(a.value + b.value);
}
