// Newton–Schulz as a list of products, for both engines: a matrix X, whose norm is at most 1, is brought close to the nearest
// orthogonal one by odd quintics of its singular values, X ← (a + bA + cA²)X with A = XXᵀ.

/** A step's polynomial of singular values, a·s + b·s³ + c·s⁵. */
export type Quintic = readonly [a: number, b: number, c: number];

/** Five times the quintic of Jordan et al. 2024: it brings singular values near 1 fast, but no closer than 0.68 … 1.13. */
export const jordan: readonly Quintic[] = Array.from({ length: 5 }, () => [3.4445, -4.775, 2.0315]);

/**
 * Quintics that together bring singular values from 1e-3 to 1 as close to 1 as this many quintics can: each is the best
 * approximation of 1 on the interval that the ones before it leave (Amsel, Persson, Musco and Gower 2025, The Polar Express,
 * algorithm 1). As there, the interval's start is never taken below 0.024 of its end, so that small values do not have to wait
 * until large ones have spread; and all quintics but the last divide their argument by 1.01, since five of them are so steep at
 * the very end of the interval that a rounding error grows 68,000-fold there, and 230-fold so.
 *
 * @param steps Number of quintics; a whole number >= 1.
 */
export function polarExpress(steps: number): readonly Quintic[] {
  let [low, high] = [1e-3, 1];
  return Array.from({ length: steps }, (_, step) => {
    const from = Math.max(low, 0.02407327424182761 * high);
    const best = bestQuintic(from, high);
    // If the interval was cut, its image is centred on 1 all the same.
    const centre = 2 / (valueAt(best, low) + valueAt(best, high));
    const [a, b, c] = from > low ? best.map((each) => each * centre) : best;
    const quintic = [a!, b!, c!] as const;
    low = valueAt(quintic, low);
    high = 2 - low;
    const safety = step < steps - 1 ? 1.01 : 1;
    return [a! / safety, b! / safety ** 3, c! / safety ** 5];
  });
}

const valueAt = ([a, b, c]: readonly number[], s: number) => s * (a! + s * s * (b! + s * s * c!));

/** The quintic whose largest distance from 1 on an interval is the least: Remez' exchange of the four points where it is reached. */
function bestQuintic(low: number, high: number): readonly number[] {
  // In the limit of an interval of one point, it is the quintic that is flat there.
  if (low > (1 - 5e-6) * high) return [15 / 8 / high, -10 / 8 / high ** 3, 3 / 8 / high ** 5];
  let inner = [(3 * low + high) / 4, (low + 3 * high) / 4];
  let [best, error] = [[0, 0, 0], Number.POSITIVE_INFINITY];
  for (let round = 0; round < 50; round++) {
    const points = [low, ...inner, high];
    const solution = solved(points.map((s, i) => [s, s ** 3, s ** 5, i % 2 === 0 ? 1 : -1, 1]));
    const [a, b, c, reached] = solution as [number, number, number, number];
    best = [a, b, c];
    if (Math.abs(reached - error) < 1e-15) break;
    error = reached;
    const root = Math.sqrt(9 * b * b - 20 * a * c);
    inner = [-1, 1].map((sign) => Math.sqrt((-3 * b + sign * root) / (10 * c)));
  }
  return best;
}

/** Linear equations by elimination; each row ends with its right-hand side. */
function solved(rows: number[][]): number[] {
  const left = rows.map((row) => [...row]);
  const size = left.length;
  for (let column = 0; column < size; column++) {
    const rest = left.slice(column);
    const pivot = rest.reduce((most, row) => (Math.abs(row[column]!) > Math.abs(most[column]!) ? row : most));
    left.splice(left.indexOf(pivot), 1);
    left.splice(column, 0, pivot);
    for (const row of left) {
      if (row === pivot) continue;
      const factor = row[column]! / pivot[column]!;
      for (let i = column; i <= size; i++) row[i]! -= factor * pivot[i]!;
    }
  }
  return left.map((row, i) => row[size]! / row[i]!);
}

/** One of the symmetric matrices that are as wide as the shorter side of X. */
export type Square = 0 | 1 | 2 | 3;

/** The place of X: where it starts, where it ends, and one in between for when these two are not enough. */
export type Wide = "prepared" | "between" | "orthogonal";

/** One product. X has the shorter side of the tensor as its rows; squares are polynomials of one matrix, so they commute. */
export type Operation =
  /** A = XXᵀ */
  | { readonly kind: "gram"; readonly x: Wide; readonly to: Square }
  /** P = a + bA + cA² */
  | { readonly kind: "polynomial"; readonly gram: Square; readonly quintic: Quintic; readonly to: Square }
  /** The product of two squares */
  | { readonly kind: "product"; readonly left: Square; readonly right: Square; readonly to: Square }
  /** X ← PX */
  | { readonly kind: "apply"; readonly left: Square; readonly x: Wide; readonly to: Wide };

/** The aspect ratio from which a matrix's steps are taken on its Gram matrix. */
const leastAspect = 2;

/**
 * After this many steps on a Gram matrix, X is formed, and from it a new Gram matrix: float32 keeps small eigenvalues to the
 * precision of the largest, and each step makes them up to twelve times as large. After three of five, the result is as close to
 * float64 as steps on X are; without it, fifty times as far for ill-conditioned matrices.
 */
const stepsOnGram = 3;

/**
 * The products that make X orthogonal, times a factor. For a matrix that is nearly square, each step applies its polynomial to X.
 * For others a few steps are taken on the Gram matrix alone, A ← PAP, and the product Q of their polynomials is applied to X at
 * once: only two products of a step are then as long as X.
 */
export function newtonSchulz(
  [rows, columns]: readonly [number, number],
  quintics: readonly Quintic[],
  factor = 1,
): readonly Operation[] {
  const each = Math.max(rows, columns) < leastAspect * Math.min(rows, columns) ? 1 : stepsOnGram;
  const parts = Math.ceil(quintics.length / each);
  const operations: Operation[] = [];
  let x: Wide = "prepared";
  for (let part = 0; part < parts; part++) {
    const last = part === parts - 1;
    const own = quintics.slice(part * each, (part + 1) * each);
    let [gram, p, spare, q]: Square[] = [0, 1, 2, 3] as const;
    operations.push({ kind: "gram", x, to: gram! });
    own.forEach((coefficients, step) => {
      const final = step === own.length - 1;
      const [a, b, c] = coefficients.map((each) => (last && final ? factor : 1) * each);
      operations.push({ kind: "polynomial", gram: gram!, quintic: [a!, b!, c!], to: p! });
      if (!final) {
        operations.push({ kind: "product", left: p!, right: gram!, to: spare! });
        operations.push({ kind: "product", left: p!, right: spare!, to: gram! });
      }
      if (step === 0) {
        [p, q] = [q, p];
      } else {
        operations.push({ kind: "product", left: p!, right: q!, to: spare! });
        [q, spare] = [spare, q];
      }
    });
    // No product writes its input: X goes to and fro, so that it ends in the right place.
    const other = parts % 2 === 0 ? "between" : "prepared";
    const to: Wide = (parts - 1 - part) % 2 === 0 ? "orthogonal" : other;
    operations.push({ kind: "apply", left: q!, x, to });
    x = to;
  }
  return operations;
}
