// When a step whose gradient is not finite is skipped, by every rule: as README.md says.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { fallbackFor } from "../../src/lab/defaults.ts";
import { modifiers } from "../../src/modifiers/index.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { namedRules } from "../rules.ts";

const options: readonly [Partial<OptimizerConfig>, number][] = [
  [{ clip: { type: "globalNorm", maxNorm: 1 } }, 1],
  [{ clip: { type: "groupNorm", maxNorm: 1 } }, 1],
  [{ clip: { type: "value", maxValue: 1 } }, 1],
  [{ clip: { type: "adaptive", clipping: 0.1 } }, 1],
  [{ lossScale: {} }, 1],
  [{ skipNonFinite: true }, 1],
  [{ clip: { type: "globalNorm", maxNorm: 1 }, skipNonFinite: false }, 0],
  [{}, 0],
];

describe("a step whose gradient is not finite", () => {
  it.each(namedRules)("is skipped by %s with clipping, a loss scale or skipNonFinite", async (_, rule) => {
    for (const [given, skipped] of options) {
      const config = { rule, ...fallbackFor(rule), ...given } as OptimizerConfig;
      const optimizer = createCpuOptimizer([{ name: "w", shape: [2, 2], data: [1, 2, 3, 4] }], config);
      optimizer.write("gradients", { w: [0.1, Number.NaN, 0.3, 0.4] });
      optimizer.step();
      expect(await optimizer.stats(), JSON.stringify(given)).toMatchObject({ step: 1 - skipped, skipped });
      const { w } = await optimizer.read();
      if (skipped) expect([...w!], JSON.stringify(given)).toEqual([1, 2, 3, 4]);
      optimizer.destroy();
    }
  });

  it.each(namedRules)(
    "makes what %s makes NaN of it NaN with any modifier too, where it is not skipped",
    async (_, rule) => {
      const paramsAfter = async (given: object) => {
        const config = readConfig({ rule, ...fallbackFor(rule), ...given, skipNonFinite: false });
        const optimizer = createCpuOptimizer([{ name: "w", shape: [2, 2], data: [1, 2, 3, 4] }], config);
        for (const w of [
          [0.1, 0.2, 0.3, 0.4],
          [0.1, Number.NaN, 0.3, 0.4],
        ]) {
          optimizer.write("gradients", { w });
          optimizer.step();
        }
        const { w } = await optimizer.read();
        optimizer.destroy();
        return [...w!];
      };
      const plain = await paramsAfter({});
      expect(plain.some(Number.isNaN)).toBe(true);
      for (const { key, type, law } of modifiers) {
        if (law === undefined) continue;
        const given = { [key]: type === undefined ? law : { type, ...(law as object) } };
        if (key === "cautiousDecay" && !rule.columns.includes("keep")) continue;
        const found = await paramsAfter(given);
        const lost = plain.filter((value, i) => Number.isNaN(value) && !Number.isNaN(found[i]!));
        expect(lost, JSON.stringify(given)).toEqual([]);
      }
    },
  );

  it("is what the README promises, under the same conditions", () => {
    const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8").replace(/\s+/g, " ");
    expect(readme).toContain(
      "With clipping, a loss scale or `skipNonFinite` a step whose gradient is not finite is skipped",
    );
  });
});
