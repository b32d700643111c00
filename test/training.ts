// Laws of the training loop, on whichever engine: it ends with an error or a result, never with the process.

import { describe, expect, it } from "vitest";
import { DeviceError, OptionError } from "../src/base/errors.ts";
import { readConfig } from "../src/optimizer/read_config.ts";
import { adamw } from "../src/rules/adam.ts";
import { sgd } from "../src/rules/sgd.ts";
import { linear } from "../src/schedules/linear.ts";
import { piecewise } from "../src/schedules/piecewise.ts";
import { plateau } from "../src/schedules/plateau.ts";
import { largestDifference } from "../src/train/diff.ts";
import type { Engine } from "../src/train/engine.ts";
import type { RunCheckpoint } from "../src/train/run_checkpoint.ts";
import type { RunConfig } from "../src/train/run_config.ts";
import { type BeforeStep, type LayersPoint, type Progress, train } from "../src/train/train.ts";

/** 32 rows, a third of each class. */
export const data = {
  name: "toy",
  count: 32,
  features: 4,
  classes: 3,
  inputs: Float32Array.from({ length: 128 }, (_, i) => Math.sin(i)),
  scale: 1,
  labels: Uint8Array.from({ length: 32 }, (_, i) => i % 3),
};
export const config = { model: { layers: [4, 8, 3] }, optimizer: sgd({ lr: 0.1 }), batch: 8, steps: 20, seed: 3 };

/** An engine whose device can be lost. */
export interface LosableEngine {
  readonly engine: Engine;
  lose(): void;
}

/** @param makeLosable Absent where there is no device to lose. */
export function trainingLaws(engine: Engine, makeLosable?: () => Promise<LosableEngine>): void {
  describe("train", () => {
    it("reports every step in order and returns what it did", async () => {
      const seen: number[] = [];
      const result = await train({
        engine,
        ...config,
        data,
        test: data,
        snapshotAfter: 20,
        onStep: ({ index }) => seen.push(index),
      });
      expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
      expect(result.losses).toHaveLength(20);
      expect(result.losses[19]).toBeLessThan(result.losses[0]!);
      expect(result.snapshot).toEqual(result.params);
      expect(result).toMatchObject({ interrupted: false, skipped: 0, testAccuracy: expect.any(Number) });
      expect(result.testLoss).toBeGreaterThan(0);
    });

    it("of numbers returns a test loss and no accuracy", async () => {
      const { labels: _, classes: __, ...rows } = data;
      const numbers = { ...rows, outputs: 1, targets: rows.inputs.filter((_, i) => i % 4 === 0) };
      const model = { layers: [4, 8, 1], loss: "huber" as const };
      const result = await train({ engine, ...config, model, data: numbers, test: numbers });
      expect(result.testAccuracy).toBeNull();
      expect(result.testLoss).toBeGreaterThan(0);
      expect(result.testLoss).toBeLessThan(result.losses[0]!);
    });

    it("stops on a signal with what there is", async () => {
      const stop = new AbortController();
      const result = await train({
        engine,
        ...config,
        data,
        test: data,
        signal: stop.signal,
        onStep: ({ index }) => {
          if (index === 3) stop.abort();
        },
      });
      expect(result.interrupted).toBe(true);
      expect(result.losses.length).toBeGreaterThanOrEqual(3);
      expect(result.losses.length).toBeLessThan(20);
      expect(result).toMatchObject({ testLoss: null, testAccuracy: null });
    });

    it("waits before a step as long as is asked, and takes the rate that is set there, which a resumed run keeps", async () => {
      const rates: number[] = [];
      const order: string[] = [];
      let checkpoint: RunCheckpoint | undefined;
      const set = await train({
        engine,
        ...config,
        data,
        async beforeStep({ index, optimizer, settle }) {
          order.push(`before ${index}`);
          if (index !== 9) return;
          await settle();
          order.push(`settled ${rates.length}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
          optimizer.set({ lr: 0.01 });
        },
        onStep({ index, lr }) {
          rates.push(lr);
          order.push(`made ${index}`);
        },
        saveEvery: 12,
        onCheckpoint(each) {
          checkpoint ??= each;
        },
      });
      expect(rates).toEqual(Array.from({ length: 20 }, (_, i) => (i < 8 ? 0.1 : 0.01)));
      expect(order.indexOf("settled 8")).toBeGreaterThan(order.indexOf("made 8"));
      expect(order.indexOf("made 9")).toBeGreaterThan(order.indexOf("settled 8"));
      expect(order.filter((each) => each.startsWith("before"))).toHaveLength(20);
      const dropped = piecewise({
        points: [
          [0, 0.1],
          [8, 0.01],
        ],
        interpolate: "constant",
      });
      const scheduled = await train({ engine, ...config, optimizer: sgd({ lr: dropped }), data });
      expect(set.losses).toEqual(scheduled.losses);
      expect(set.params).toEqual(scheduled.params);
      const resumed = await train({ engine, ...config, data, resume: checkpoint!.bytes });
      expect(resumed.params).toEqual(set.params);
    });

    it("ends before a step where that is asked, by the signal or an error", async () => {
      const stop = new AbortController();
      const beforeStep = ({ index }: BeforeStep) => index === 6 && stop.abort();
      const ended = await train({
        engine,
        ...config,
        data,
        signal: stop.signal,
        beforeStep: (at) => void beforeStep(at),
      });
      expect(ended).toMatchObject({ reason: "interrupted", losses: { length: 5 } });
      const refuse = async () => {
        throw new Error("from the hook");
      };
      await expect(train({ engine, ...config, data, beforeStep: refuse })).rejects.toThrow("from the hook");
      await expect(train({ engine, ...config, data, beforeStep: 3 as never })).rejects.toThrow(
        "beforeStep is 3; it must be a function",
      );
    });

    it("reports what the layers did whenever the watch looks", async () => {
      const looks: LayersPoint[] = [];
      const watched = { ...config, watch: { every: 5 } };
      await train({ engine, ...watched, data, onLayers: (look) => looks.push(look) });
      expect(looks.map(({ step }) => step)).toEqual([1, 5, 10, 15, 20]);
      for (const { layers } of looks) {
        expect(layers).toHaveLength(4);
        for (const { gradientNorm, updateNorm } of layers) expect(updateNorm).toBeCloseTo(0.1 * gradientNorm, 5);
      }
    });

    it("throws where a rate leaves its range, though other steps are in flight", async () => {
      const optimizer = sgd({ lr: (step) => (step < 5 ? 0.1 : Number.NaN) });
      await expect(train({ engine, ...config, optimizer, data })).rejects.toThrow(OptionError);
      await expect(train({ engine, ...config, optimizer, data })).rejects.toThrow("sgd.lr is NaN at step 5");
    });

    it("throws what its listener throws", async () => {
      const onStep = () => {
        throw new Error("from the listener");
      };
      await expect(train({ engine, ...config, data, onStep })).rejects.toThrow("from the listener");
    });

    if (makeLosable) {
      it("throws when the device is lost on the way", async () => {
        const { engine, lose } = await makeLosable();
        await expect(train({ engine, ...config, data, onStep: ({ index }) => index === 2 && lose() })).rejects.toThrow(
          DeviceError,
        );
      });
    }

    it("repeats a run from its complete config as JSON, to the bit", async () => {
      const whole: RunConfig = {
        ...config,
        optimizer: readConfig({
          rule: adamw,
          lr: { type: plateau, base: 0.05, factor: 0.5, patience: 0, threshold: 0.05 },
          clip: { type: "globalNorm", maxNorm: 1 },
        }),
        batch: { type: linear, start: 4, end: 12, steps: 16 },
        metric: { type: "testLoss", every: 3 },
        stop: { patience: 5 },
        watch: { every: 2, largeUpdate: 1e-4 },
      };
      const first = await train({ engine, ...whole, data, test: data });
      const second = await train({ engine, ...JSON.parse(JSON.stringify(first.config)), data, test: data });
      expect(first.losses.length).toBeGreaterThan(10);
      expect(first.metrics.length).toBeGreaterThan(3);
      expect(first.events.map(({ kind }) => kind)).toContain("largeUpdate");
      expect(second).toEqual(first);
    });

    it("takes rows without weight as they are: nothing to learn, nothing to test, nothing lost", async () => {
      // Most batches of 2 have no row that counts.
      const masked = { ...data, weights: Float32Array.from({ length: 32 }, (_, i) => (i < 8 ? 1 : 0)) };
      const result = await train({ engine, ...config, batch: 2, data: masked, test: masked });
      expect(result.losses.filter((loss) => loss === 0).length).toBeGreaterThan(5);
      expect(result).toMatchObject({ reason: "finished", divergedAt: null, testLoss: expect.any(Number), notes: [] });
      const unweighted = { ...data, name: "mask", weights: new Float32Array(32) };
      const untested = await train({ engine, ...config, steps: 2, data, test: unweighted });
      expect(untested).toMatchObject({ reason: "finished", testLoss: null, testAccuracy: null });
      expect(untested.notes).toEqual(["mask: all 32 test rows have weight 0, so they test nothing"]);
      const metric = { type: "testLoss", every: 5 } as const;
      await expect(train({ engine, ...config, metric, data, test: unweighted })).rejects.toThrow(
        'metric.type is "testLoss", which needs a test set; all rows of mask have weight 0',
      );
      await expect(train({ engine, ...config, data: unweighted })).rejects.toThrow(
        "mask: all 32 training rows have weight 0",
      );
    });

    it("makes an update of the gradients left over at the end, of the mean of those there are", async () => {
      const whole = { ...config, batch: 32 };
      for (const [steps, accumulate] of [
        [10, 4],
        [3, 7],
      ] as const) {
        const optimizer = readConfig({ rule: adamw, lr: 0.05, accumulate, skipNonFinite: true });
        let last: Progress | undefined;
        const onStep = (progress: Progress) => {
          last = progress;
        };
        const added = await train({ engine, ...whole, steps, optimizer, data, onStep });
        const updates = Math.ceil(steps / accumulate);
        // All micro-batches of an update are the same rows, if in another order.
        const plain = await train({ engine, ...whole, steps: updates, optimizer: adamw({ lr: 0.05 }), data });
        expect([last!.index, last!.step, added.losses.length]).toEqual([steps, updates, steps]);
        expect(largestDifference(added.params, plain.params)).toBeLessThan(1e-5);
      }
    });

    it.each([
      [{ steps: 0 }, "steps is 0; it must be a whole number >= 1"],
      [{ batch: 33 }, "batch is 33; it must be at most 32, the rows of toy to train on"],
      [{ seed: 0.5 }, "seed is 0.5"],
    ])("refuses %j", async (wrong, message) => {
      await expect(train({ engine, ...config, ...wrong, data })).rejects.toThrow(message);
    });
  });
}
