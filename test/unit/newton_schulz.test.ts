// The products that make a matrix orthogonal, as a list: coefficients against published ones, and that what the list computes is what the
// steps' formula says, in every form.
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/random.ts";
import { orthogonalised } from "../../src/engines/cpu/orthogonalise.ts";
import { jordan, newtonSchulz, polarExpress, type Quintic } from "../../src/engines/stages/newton_schulz.ts";

/** What quintics make of a singular value, one after the other. */
const steps = (quintics: readonly Quintic[], value: number) =>
  quintics.reduce((s, [a, b, c]) => a * s + b * s ** 3 + c * s ** 5, value);

describe("Polar Express", () => {
  it("has the coefficients of the paper, over the powers of its factor of safety but in the last step", () => {
    const published: readonly Quintic[] = [
      [8.28721201814563, -23.595886519098837, 17.300387312530933],
      [4.107059111542203, -2.9478499167379106, 0.5448431082926601],
      [3.9486908534822946, -2.908902115962949, 0.5518191394370137],
      [3.3184196573706015, -2.488488024314874, 0.51004894012372],
      [2.300652019954817, -1.6689039845747493, 0.4188073119525673],
    ];
    polarExpress(5).forEach((quintic, step) => {
      const safety = step < 4 ? 1.01 : 1;
      quintic.forEach((each, i) => {
        expect(Math.abs(each * safety ** (2 * i + 1) - published[step]![i]!)).toBeLessThan(1e-12);
      });
    });
  });

  it("brings singular values closer to 1 the more steps it has, and closer than Jordan's", () => {
    const values = Array.from({ length: 1000 }, (_, i) => 1e-2 ** (i / 999));
    const spread = (quintics: readonly Quintic[]) => Math.max(...values.map((s) => Math.abs(steps(quintics, s) - 1)));
    expect(spread(jordan)).toBeGreaterThan(0.3);
    expect(spread(polarExpress(5))).toBeLessThan(0.13);
    expect(spread(polarExpress(6))).toBeLessThan(0.02);
    expect(spread(polarExpress(8))).toBeLessThan(1e-3);
  });
});

describe("the list of products", () => {
  const kinds = (shape: readonly [number, number], quintics = jordan) =>
    newtonSchulz(shape, quintics).map(({ kind }) => kind);

  it("applies each step to a matrix that is nearly square, and a few at once to a longer one", () => {
    expect(kinds([9, 5]).filter((kind) => kind === "apply")).toHaveLength(5);
    for (const shape of [
      [5, 10],
      [10, 5],
      [1, 4],
    ] as const) {
      expect(kinds(shape).filter((kind) => kind === "apply")).toHaveLength(2);
      expect(kinds(shape).filter((kind) => kind === "gram")).toHaveLength(2);
      expect(kinds(shape).filter((kind) => kind === "polynomial")).toHaveLength(5);
    }
  });

  it("reads nothing that was not written, and never writes what it reads", () => {
    for (const count of [1, 2, 3, 4, 5, 6, 7]) {
      for (const shape of [
        [4, 4],
        [4, 9],
      ] as const) {
        const written = new Set<string | number>(["prepared"]);
        const operations = newtonSchulz(shape, polarExpress(count));
        for (const { kind: _, to, ...rest } of operations) {
          const read = Object.values(rest).filter((value): value is string | number => typeof value !== "object");
          for (const each of read) expect(written).toContain(each);
          expect(read).not.toContain(to);
          written.add(to);
        }
        expect(operations.at(-1)!.to).toBe("orthogonal");
      }
    }
  });

  it.each([
    [[6, 6], 5],
    [[7, 4], 5],
    [[4, 11], 5],
    [[11, 4], 4],
    [[3, 8], 1],
    [[5, 5], 6],
  ] as const)("makes of each singular value what the steps make of it (%j, %i steps)", (shape, count) => {
    const [rows, columns] = shape;
    const random = new Random(7);
    const quintics = polarExpress(count);
    // An outer product of unit vectors has one singular value; a multiple of it shows what becomes of that.
    const unit = (length: number) => {
      const x = Array.from({ length }, () => random.normal());
      const norm = Math.hypot(...x);
      return x.map((value) => value / norm);
    };
    const [u, v] = [unit(rows), unit(columns)];
    const matrix = (s: number) =>
      Float64Array.from({ length: rows * columns }, (_, i) => s * u[Math.floor(i / columns)]! * v[i % columns]!);
    for (const s of [0.03, 0.4, 0.97]) {
      const found = orthogonalised(matrix(s), shape, quintics, 0.5);
      const want = matrix(0.5 * steps(quintics, s));
      expect(Math.max(...found.map((value, i) => Math.abs(value - want[i]!)))).toBeLessThan(1e-10);
    }
  });
});
