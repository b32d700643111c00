// The training loop's laws on the CPU reference, and what a run config may ask of it: metric, stopping, watch, batches.

import { describe, expect, it } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { createPipeline } from "../../src/objectives/pipeline.ts";
import { loadCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { linear } from "../../src/schedules/linear.ts";
import { plateau } from "../../src/schedules/plateau.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { cpuEngine, type Engine } from "../../src/train/engine.ts";
import type { WatchEvent } from "../../src/train/findings.ts";
import type { Best, MetricPoint } from "../../src/train/metric.ts";
import { readRun } from "../../src/train/open_run.ts";
import type { RunConfig } from "../../src/train/run_config.ts";
import { type Progress, train } from "../../src/train/train.ts";
import { createCpuOptimizer } from "../optimizers.ts";
import { config, data, trainingLaws } from "../training.ts";

trainingLaws(cpuEngine());

const metric = { type: "loss", every: 4 } as const;
/** Learns for eight steps, then blows up. */
const turning = sgd({ lr: { type: sequential, milestones: [8], schedules: [0.1, 200] } });

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe("the metric of a run", () => {
  it("is the mean loss since the value before, and is there for the last step too", async () => {
    const received: MetricPoint[] = [];
    const onMetric = (point: MetricPoint) => received.push(point);
    const { metrics, losses, best } = await train({
      engine: cpuEngine(),
      ...config,
      steps: 10,
      metric: { type: "loss", every: 4 },
      data,
      onMetric,
    });
    expect(metrics).toEqual([
      { step: 4, value: mean(losses.slice(0, 4)) },
      { step: 8, value: mean(losses.slice(4, 8)) },
      { step: 10, value: mean(losses.slice(8)) },
    ]);
    expect(received).toEqual(metrics);
    expect(best).toEqual(metrics.reduce((low, point) => (point.value < low.value ? point : low)));
  });

  it("changes nothing in a run without plateau or stopping", async () => {
    const plain = await train({ engine: cpuEngine(), ...config, data });
    const measured = await train({
      engine: cpuEngine(),
      ...config,
      metric: { type: "testAccuracy", every: 3 },
      data,
      test: data,
    });
    expect(measured.losses).toEqual(plain.losses);
    expect(measured.params).toEqual(plain.params);
    expect(measured.metrics.at(-1)).toEqual({ step: 20, value: measured.testAccuracy });
    expect(plain).toMatchObject({ metrics: [], best: null, events: [], reason: "finished" });
  });

  it("of the test set after the last step is the run's own test loss, of one pass over it", async () => {
    const passes: number[] = [];
    const result = await train({
      engine: cpuEngine(),
      ...config,
      metric: { type: "testLoss", every: 20 },
      data,
      test: data,
      onTest: (rows) => rows === data.count && passes.push(rows),
    });
    expect(result.metrics).toEqual([{ step: 20, value: result.testLoss }]);
    expect(passes).toEqual([data.count]);
  });

  it("drives plateaus: the rate is cut right after the value that is no improvement", async () => {
    const lr = { type: plateau, base: 0.5, factor: 0.5, patience: 0, threshold: 0.99 };
    const rates: number[] = [];
    const onStep = ({ lr }: Progress) => rates.push(lr);
    await train({ engine: cpuEngine(), ...config, steps: 12, optimizer: sgd({ lr }), metric, data, onStep });
    expect(rates).toEqual([...Array(8).fill(0.5), ...Array(4).fill(0.25)]);
  });

  it("of the test set needs one", async () => {
    const wrong = train({ engine: cpuEngine(), ...config, metric: { type: "testLoss", every: 4 }, data });
    await expect(wrong).rejects.toThrow('metric.type is "testLoss", which needs a test set; this run has none');
  });
});

describe("targets that the loss does not take", () => {
  const { labels: _, classes: __, ...rows } = data;
  const shares = { ...rows, outputs: 1, targets: Float32Array.from({ length: 32 }, (_, i) => i / 32) };
  const wrong = { ...shares, name: "far", targets: shares.targets.map((share) => 2 * share) };
  const run = { ...config, model: { layers: [4, 1], loss: "sigmoidBinaryCrossEntropy" as const } };
  it.each([
    ["train", wrong, undefined],
    ["test", shares, wrong],
  ])("are refused in the rows to %s with before anything is made", async (_, rows, test) => {
    const message = "far: row 17 has target 1.0625; sigmoidBinaryCrossEntropy takes targets in [0, 1]";
    expect(() => readRun(run, rows, test)).toThrow(new DataError(message));
  });
});

describe("early stopping", () => {
  const still: RunConfig = { ...config, batch: 32, optimizer: sgd({ lr: 0 }), metric, stop: { patience: 2 } };

  it("ends a run that no longer improves, and says so", async () => {
    const result = await train({ engine: cpuEngine(), ...still, data, test: data });
    expect(result).toMatchObject({ reason: "stopped-early", interrupted: false, testAccuracy: expect.any(Number) });
    expect(result.metrics.map(({ step }) => step)).toEqual([4, 8, 12]);
    expect(result.losses).toHaveLength(12);
    expect(result.best).toEqual(result.metrics[0]);
  });

  it("does not say so of a run whose steps are all made", async () => {
    const { reason, losses } = await train({ engine: cpuEngine(), ...still, steps: 12, data });
    expect([reason, losses.length]).toEqual(["finished", 12]);
  });

  it("returns those of the highest loss where the optimizer ascends", async () => {
    const optimizer = sgd({ lr: 0.1, maximize: true });
    const { best, metrics } = await train({ engine: cpuEngine(), ...config, optimizer, metric, data, test: data });
    expect(metrics.length).toBeGreaterThan(2);
    expect(best?.value).toBe(Math.max(...metrics.map(({ value }) => value)));
  });

  it("takes a job as it is when it is called, so that runs may share one that changes in between", async () => {
    const seen: number[][] = [[], []];
    const job = {
      ...{ engine: cpuEngine(), data, batch: 8, steps: 3, model: { layers: [4, 8, 3] } },
      optimizer: { rule: "sgd", lr: { type: "piecewise", points: [[0, 0.1]] } },
      onStep: (_: Progress) => {},
    };
    const runs = [0.1, 0.2].map((lr, i) => {
      job.optimizer.lr.points[0]![1] = lr;
      job.onStep = (progress) => seen[i]!.push(progress.lr);
      return train(job);
    });
    await Promise.all(runs);
    expect(seen).toEqual([
      [0.1, 0.1, 0.1],
      [0.2, 0.2, 0.2],
    ]);
  });

  it("returns the best parameters, or with restoreBest false the last", async () => {
    const run = (restoreBest: boolean) =>
      train({
        engine: cpuEngine(),
        ...config,
        optimizer: turning,
        metric,
        stop: { patience: 2, restoreBest },
        data,
        snapshotAfter: 8,
        test: data,
      });
    const best = await run(true);
    expect(best.best?.step).toBe(8);
    expect(best.reason).toBe("stopped-early");
    expect(best.params).toEqual(best.snapshot);
    const last = await run(false);
    expect(last.losses).toEqual(best.losses);
    expect(last.params).not.toEqual(best.params);
    const short = await train({ engine: cpuEngine(), ...config, optimizer: turning, steps: 8, data, test: data });
    expect([best.testLoss, best.testAccuracy]).toEqual([short.testLoss, short.testAccuracy]);
  });

  it("hands over each best state as a checkpoint, waits for its listener and throws what that throws", async () => {
    const found: Best[] = [];
    const slowly = async (best: Best) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      found.push(best);
    };
    const result = await train({
      engine: cpuEngine(),
      ...config,
      optimizer: turning,
      metric,
      data,
      onBest: slowly,
      snapshotAfter: 8,
    });
    expect(found.map(({ step }) => step)).toEqual([4, 8]);
    const tensors = [...result.shapes].map(([name, shape]) => ({ name, shape }));
    const optimizer = createCpuOptimizer(tensors, turning);
    await loadCheckpoint(optimizer, found[1]!.checkpoint);
    expect(await optimizer.read()).toEqual(result.snapshot);
    expect((await optimizer.stats()).step).toBe(8);
    const onBest = () => Promise.reject(new Error("the disk is full"));
    await expect(train({ engine: cpuEngine(), ...config, metric, data, onBest })).rejects.toThrow("the disk is full");
  });

  it("ends a run whose loss is not finite, but none that skips such steps", async () => {
    const wild = { ...config, metric, stop: { patience: 100 }, optimizer: sgd({ lr: 1e30 }) };
    const lost = await train({ engine: cpuEngine(), ...wild, data });
    expect(lost.reason).toBe("diverged");
    expect(lost.losses.length).toBeLessThan(10);
    expect(lost.losses.some((loss) => !Number.isFinite(loss))).toBe(true);
    const skipping = await train({
      engine: cpuEngine(),
      ...wild,
      optimizer: readConfig({ rule: sgd, lr: 1e30, skipNonFinite: true }),
      data,
    });
    // It has made all its steps, and each since the first found no loss.
    expect(skipping.losses).toHaveLength(20);
    expect(skipping.reason).toBe("diverged");
    expect(skipping.skipped).toBeGreaterThan(0);
    const unstopped = await train({ engine: cpuEngine(), ...wild, stop: null, data });
    expect(unstopped).toMatchObject({ reason: "diverged", best: null, divergedAt: lost.divergedAt });
    expect(unstopped.losses).toHaveLength(20);
  });

  it("gives way to the signal", async () => {
    const stop = new AbortController();
    const result = await train({
      engine: cpuEngine(),
      ...still,
      stop: { patience: 1 },
      data,
      signal: stop.signal,
      onMetric: () => stop.abort(),
    });
    expect(result).toMatchObject({ reason: "interrupted", interrupted: true, testAccuracy: null });
    expect(result.losses).toHaveLength(4);
  });
});

describe("a watched run", () => {
  it("reports its findings as they come, those of layers too, and goes on to the same end", async () => {
    const wild = { ...config, optimizer: sgd({ lr: 5 }) };
    const received: WatchEvent[] = [];
    const result = await train({
      engine: cpuEngine(),
      ...wild,
      watch: { every: 1, largeUpdate: 0.05 },
      data,
      onEvent: (event) => received.push(event),
    });
    expect(received.map(({ kind }) => kind)).toContain("largeUpdate");
    expect(result.events).toEqual(received);
    expect(JSON.parse(JSON.stringify(result.config.optimizer))).toMatchObject({ watch: true });
    expect(result.losses).toEqual((await train({ engine: cpuEngine(), ...wild, data })).losses);
  });
});

describe("a batch schedule", () => {
  it("sets the size of each step's batch, and what the objective has room for", async () => {
    const made: number[] = [];
    const sizes: number[] = [];
    const cpu = cpuEngine();
    const engine: Engine = {
      ...cpu,
      async objective(optimizer, program, options) {
        made.push(options!.batch!);
        const objective = await cpu.objective(optimizer, program, options);
        return {
          step(rows) {
            sizes.push(rows!.length);
            return objective.step(rows);
          },
          gradient: (rows) => objective.gradient(rows),
          evaluate: (...given) => objective.evaluate(...given),
          hessianVector: (...given) => objective.hessianVector(...given),
          field: (...given) => objective.field(...given),
          destroy: () => objective.destroy(),
        };
      },
    };
    await train({ engine, ...config, steps: 6, batch: { type: linear, start: 2, end: 12, steps: 5 }, data });
    expect(sizes).toEqual([2, 4, 6, 8, 10, 12]);
    expect(made).toEqual([12]);
  });

  it("larger than the data is refused before anything is made", async () => {
    const engine: Engine = { ...cpuEngine(), optimizer: () => Promise.reject(new Error("made")) };
    const growing = { ...config, batch: { type: linear, start: 20, end: 40, steps: 20 } };
    await expect(train({ engine, ...growing, data })).rejects.toThrow(
      "batch is 33 at step 13; it must be at most 32, the rows of toy to train on",
    );
  });
});

describe("a pipeline", () => {
  it("keeps four steps on their way, reports them in order, and waits for all of them when it is closed", async () => {
    const received: number[] = [];
    const pipeline = createPipeline((report: number) => received.push(report));
    const finish: (() => void)[] = [];
    const step = (report: number) => () => new Promise<number>((resolve) => finish.push(() => resolve(report)));
    for (let i = 0; i < 4; i++) await pipeline.start(step(i));
    expect(finish).toHaveLength(4);
    const fifth = pipeline.start(step(4));
    finish[1]!();
    await Promise.resolve();
    expect([received, finish.length]).toEqual([[], 4]);
    finish[0]!();
    await fifth;
    expect([received, finish.length]).toEqual([[0], 5]);
    for (const end of finish) end();
    await pipeline.drain();
    expect(received).toEqual([0, 1, 2, 3, 4]);
  });

  it("throws what a step throws when its turn comes, and lets nothing that fails besides end the process", async () => {
    const received: number[] = [];
    const pipeline = createPipeline((report: number) => received.push(report));
    await pipeline.start(async () => 1);
    await pipeline.start(() => Promise.reject(new Error("second")));
    await pipeline.start(() => Promise.reject(new Error("third")));
    void pipeline.track(Promise.reject(new Error("read")));
    await expect(pipeline.drain()).rejects.toThrow("second");
    await pipeline.close();
    expect(received).toEqual([1]);
  });
});
