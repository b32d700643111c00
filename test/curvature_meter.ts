// Laws of the sharpness meter of a run, on whichever engine.
import { describe, expect, it } from "vitest";
import { adam } from "../src/rules/adam.ts";
import { lion } from "../src/rules/lion.ts";
import { sgd } from "../src/rules/sgd.ts";
import { curvature } from "../src/schedules/curvature.ts";
import type { CurvaturePoint } from "../src/train/curvature.ts";
import type { Engine } from "../src/train/engine.ts";
import type { RunConfig } from "../src/train/run_config.ts";
import { type TrainResult, train } from "../src/train/train.ts";
import { expectResumed } from "./resume.ts";
import { data } from "./training.ts";

const base = { model: { layers: [4, 8, 3], activation: "tanh" }, batch: 8, seed: 3, steps: 12 } as const;

/** What a run came to, but for what is measured. */
const rest = ({ config: _, curvature: __, ...others }: TrainResult) => others;

export function curvatureLaws(makeEngine: () => Promise<{ readonly engine: Engine }>): void {
  describe("the sharpness meter of a run", () => {
    it.each([
      ["sgd", sgd({ lr: 0.1, momentum: 0.5 }), 3 / 0.1],
      ["adam", adam({ lr: 0.01 }), 38 / 0.01],
      ["lion", lion({ lr: 0.001 }), null],
    ])("only looks, with %s", async (_, optimizer, edge) => {
      const { engine } = await makeEngine();
      const seen: CurvaturePoint[] = [];
      const run = await train({
        ...{ engine, ...base, optimizer, data, test: data, curvature: { every: 4 } },
        onCurvature: (point) => seen.push(point),
      });
      const alone = await train({ engine, ...base, optimizer, data, test: data });
      expect(rest(run)).toEqual(rest(alone));
      expect(alone.curvature).toEqual([]);
      expect(run.curvature).toEqual(seen);
      expect(seen.map(({ step }) => step)).toEqual([4, 8, 12]);
      for (const point of seen) {
        expect(point.sharpness).toBeGreaterThan(0);
        expect(point.bound).toBeLessThan(0.01 * point.sharpness);
        expect(point.converged).toBe(true);
        expect(point.product).toBe(point.sharpness * point.lr);
        if (edge === null) expect(point).toMatchObject({ edge, fraction: null });
        else {
          expect(point.edge! / edge).toBeCloseTo(1, 6);
          expect(point.fraction).toBe(point.sharpness / point.edge!);
        }
      }
      // It goes on from the eigenvector before.
      expect(seen[1]!.gradients).toBeLessThan(seen[0]!.gradients);
    });

    it("drives the rate, and goes on to the bit", async () => {
      const { engine } = await makeEngine();
      const optimizer = sgd({ lr: curvature({ base: 0.01, share: 0.25 }) });
      const lrs: number[] = [];
      const config: RunConfig = { ...base, optimizer, curvature: { every: 5, rows: 16 }, watch: { every: 4 } };
      const run = await train({ engine, ...config, data, onStep: ({ lr }) => lrs.push(lr) });
      expect(run.curvature.map(({ step }) => step)).toEqual([5, 10]);
      const rates = run.curvature.map(({ sharpness }) => 0.5 / sharpness);
      expect(lrs).toEqual([...Array(5).fill(0.01), ...Array(5).fill(rates[0]), ...Array(2).fill(rates[1])]);
      await expectResumed(engine, config, data);
    });

    it("says where the edge of stability is reached", async () => {
      const { engine } = await makeEngine();
      const far = { ...base, optimizer: sgd({ lr: 1e-3 }), data, watch: true, curvature: { every: 4 } } as const;
      const calm = await train({ engine, ...far });
      expect(calm.events.filter(({ kind }) => kind === "edgeOfStability")).toEqual([]);
      const lr = 3 / calm.curvature.at(-1)!.sharpness;
      const run = await train({ engine, ...far, optimizer: sgd({ lr }) });
      const first = run.curvature.find(({ fraction }) => fraction! >= 1)!;
      const found = run.events.find(({ kind }) => kind === "edgeOfStability");
      expect(found).toMatchObject({ step: first.step, sharpness: first.sharpness, edge: 2 / lr, lr });
    });
  });
}
