// Numbers below 2^-126, which some GPUs keep and some flush to 0: the twins flush them, as kernels do (shaders/signs.wgsl).

/** A number as stored in slots of rules that go by signs: rounded to float32, and 0 below 2^-126. */
export function normalOrZero(x: number): number {
  const stored = Math.fround(x);
  return Math.abs(stored) < 2 ** -126 ? 0 : stored;
}

/** The sign that a rule goes by: -1, 0 or 1. */
export function signOf(x: number): number {
  return Math.sign(normalOrZero(x));
}
