// L-BFGS on the CPU beside the losses that torch's came to, and what is malformed of such a record.
import { describe, expect, it } from "vitest";
import { readLbfgsCases, runLbfgsCase } from "../../src/lab/curvature_lbfgs.ts";
import { digitsDataset } from "../../src/objectives/data/digits.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { golden, goldenText } from "../golden.ts";

const { lbfgs } = golden<{ readonly lbfgs: readonly { readonly id: string }[] }>("curvature.json");
const digits = digitsDataset(goldenText("digits.json"));

describe("recorded runs of L-BFGS", () => {
  it.each(readLbfgsCases(lbfgs).map((entry) => [entry.id, entry] as const))(
    "%s: its losses are reached in 1.25 times its evaluations at most",
    async (_, entry) => {
      const result = await runLbfgsCase(cpuEngine(), entry, digits);
      expect(result).toMatchObject({ ok: true });
      expect(result.worst).toBeLessThanOrEqual(1.25);
    },
  );
});
