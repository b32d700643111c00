// What the suites product, sweep, host, read and start promise without a GPU: the order and tiers of their cases, the products
// that answers are held against, readings, and the sweep's reference.
import { describe, expect, it } from "vitest";
import { pageCases, titleOf } from "../../bench/cases.ts";
import { keeping } from "../../bench/engines/keeping.ts";
import { product as plain } from "../../bench/engines/plain.ts";
import { answerOfProduct, createMatrices, expectedProduct } from "../../bench/matrices.ts";
import { reading } from "../../bench/readings.ts";
import { sweepCases } from "../../bench/suites/sweep.ts";
import { startOf, updateWork } from "../../bench/update.ts";

describe("the registry", () => {
  it("begins with the cold start, which happens once; what else is timed once takes minutes", () => {
    expect(titleOf(pageCases[0]!)).toBe("start: start adamw 1x1M cold");
    expect(pageCases.filter(({ once }) => once).map(titleOf)).toEqual([
      titleOf(pageCases[0]!),
      "curvature: sharpness 784-1024-256-10 1000 rows",
    ]);
  });

  it.each(["start", "product", "sweep", "curvature", "lbfgs", "cascade", "host", "read"])(
    "has a quick case of %s, and names each case once",
    (suite) => {
      const cases = pageCases.filter((each) => each.suite === suite);
      expect(cases.filter(({ tier }) => tier === "quick").length).toBeGreaterThan(0);
      expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
      for (const { contenders, ours } of cases) expect(contenders.map(({ engine }) => engine)).toContain(ours);
    },
  );
});

describe("products", () => {
  it.each([
    { m: 5, n: 7, k: 3 },
    { m: 5, n: 7, k: 3, transposeA: true },
    { m: 5, n: 7, k: 3, transposeB: true },
    { m: 25, n: 2, k: 300, transposeA: true, transposeB: true },
  ])("of plain loops are those of the definition: %o", async (shape) => {
    const work = createMatrices(shape);
    const expected = expectedProduct(work);
    const { values } = await (await plain(work)).answer!();
    expect(values.length).toBe(expected.values.length);
    for (const [r, row] of expected.values.entries()) {
      expect(row.length).toBe(shape.n);
      for (const [j, value] of row.entries()) expect(values[r]![j]).toBeCloseTo(value, 5);
    }
  });

  it("are read from the stored forms", () => {
    const [a, b] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)];
    const rows = (transposeA: boolean, transposeB: boolean) =>
      expectedProduct({ m: 2, n: 2, k: 2, transposeA, transposeB, a, b }).values.flatMap((row) => [...row]);
    expect(rows(false, false)).toEqual([19, 22, 43, 50]);
    expect(rows(true, false)).toEqual([26, 30, 38, 44]);
    expect(rows(false, true)).toEqual([17, 23, 39, 53]);
  });

  it("of another size are reported", () => {
    const work = createMatrices({ m: 2, n: 3, k: 4 });
    expect(() => answerOfProduct(work, [1, 2, 3])).toThrow("3 elements instead of 6");
  });
});

describe("a load", () => {
  function recorded() {
    const destroyed: string[] = [];
    const made = (name: string, fails = false) => ({
      destroy() {
        destroyed.push(name);
        if (fails) throw new Error(`${name} is gone`);
      },
    });
    return { destroyed, made };
  }
  const waits = { step: () => undefined, wait: async () => undefined };

  it("that throws destroys what it made before, and says why it threw", async () => {
    const { destroyed, made } = recorded();
    const load = keeping(async (keep, reason: string) => {
      keep(made("first", true));
      keep(made("second"));
      if (reason) throw new Error(reason);
      return waits;
    });
    await expect(load("no memory")).rejects.toThrow("no memory");
    expect(destroyed).toEqual(["second", "first"]);
  });

  it("gives a runner that destroys all of it once, whatever throws", async () => {
    const { destroyed, made } = recorded();
    const runner = await keeping(async (keep) => {
      keep(made("first"));
      keep(made("second", true));
      return waits;
    })();
    expect(() => runner.destroy()).toThrow("second is gone");
    runner.destroy();
    expect(destroyed).toEqual(["second", "first"]);
  });
});

describe("a reading", () => {
  it("makes ready before a step what the step reads", async () => {
    const work = updateWork("adamw", false, [[16]]);
    const log: string[] = [];
    const of = reading("params", async () => {
      log.push("ready");
      return async () => {
        log.push("read");
        return startOf(work)[0]!;
      };
    });
    expect(await of.answer()).toEqual({ numbers: [], values: startOf(work) });
    await of.prepare();
    log.push("clock");
    await of.step();
    expect(log).toEqual(["ready", "read", "ready", "clock", "read"]);
  });

  it("of stats is a number", async () => {
    const of = reading("stats", async () => async () => [0.5]);
    expect(await of.answer()).toEqual({ numbers: [0.5], values: [] });
  });
});

describe("a sweep", () => {
  const network = sweepCases.find(({ name }) => name.startsWith("sweep") && name.endsWith("x4"))!;

  it("counts every replica", () => {
    expect(network).toMatchObject({ n: 4 * (784 * 32 + 32 + 32 * 10 + 10), tensors: 16 });
  });

  it("is held against the least and the largest rate, which move by different amounts", async () => {
    const { numbers, values } = await network.expected!();
    const start = network.start!();
    expect(numbers).toHaveLength(3);
    expect(values.map(({ length }) => length)).toEqual(start.map(({ length }) => length));
    const moved = (t: number) => Math.hypot(...values[t]!.map((value, i) => value - start[t]![i]!));
    const half = values.length / 2;
    expect(moved(half)).toBeGreaterThan(100 * moved(0));
  });
});
