// The main job with every rule: its standard rate makes a small network learn within a few dozen steps.
import { describe, expect, it } from "vitest";
import { loadMnist } from "../../src/app/cli/data.ts";
import { jobConfig, usualRate } from "../../src/lab/defaults.ts";
import { firstRows } from "../../src/objectives/data/dataset.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { train } from "../../src/train/train.ts";
import { namedRules } from "../rules.ts";

const { train: data, test } = await loadMnist();
const few = firstRows(test, 300);

describe("the main job", () => {
  it.each(namedRules)("learns with %s at its standard rate", async (_, rule) => {
    expect(usualRate(rule)).toBeGreaterThan(0);
    const config = jobConfig({ rule: rule.name, model: "784-16-10", batch: 16, steps: 60 });
    const { losses, testAccuracy } = await train({ engine: cpuEngine(), ...config, data, test: few });
    const late = losses.slice(-10).reduce((sum, loss) => sum + loss, 0) / 10;
    // Guessing loses ln 10 = 2.303 an image.
    expect(late).toBeLessThan(2.2);
    expect(testAccuracy).toBeGreaterThan(0.2);
  });
});
