// Numbers below 2^-126, which some GPUs keep and some take as 0: the twins take them as 0, as kernels do (shaders/nan.wgsl).

/** A number as slots of rules that go by signs hold it: rounded to float32, and 0 below 2^-126. */
export function normalOrZero(x: number): number {
  const stored = Math.fround(x);
  return Math.abs(stored) < 2 ** -126 ? 0 : stored;
}

/** The sign by which a rule goes: -1, 0 or 1. */
export function signOf(x: number): number {
  return Math.sign(normalOrZero(x));
}
