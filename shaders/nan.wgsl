// Functions for rules that decide by bits: built-in functions may lose NaN, compilers may assume that no number is NaN or
// infinite and drop the comparisons that would find one, and each implementation chooses whether arithmetic keeps numbers below
// 2^-126 or flushes them to 0. docs/numerics.md lists the choices that remain.
fn nan_in(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// The larger of two; NaN if either is NaN.
fn larger(a: vec4f, b: vec4f) -> vec4f {
  return select(select(max(a, b), b, nan_in(b)), a, nan_in(a));
}
