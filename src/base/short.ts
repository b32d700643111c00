// Numbers as people read them.

/** A number in few characters: three digits, 0.0123 as it is, 6.26e-4 and 1e-7 where that is shorter. */
export function short(value: number): string {
  const [plain, size] = [String(Number(value.toPrecision(3))), Math.abs(value)];
  if (value === 0 || (size >= 1e-4 && size < 1e6 && plain.length <= 7)) return plain;
  return value.toExponential(2).replace(/\.?0*e\+?/, "e");
}
