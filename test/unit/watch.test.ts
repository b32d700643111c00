// The watch: every finding on a run that has it, silence on runs that only look like it, and each finding once.

import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Random } from "../../src/base/random.ts";
import { layerStats } from "../../src/modifiers/layer_stats.ts";
import type { Dataset } from "../../src/objectives/data/dataset.ts";
import type { Model } from "../../src/objectives/model.ts";
import { createModel, type ModelConfig } from "../../src/objectives/models/index.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import type { OptimizerConfig } from "../../src/optimizer/config.ts";
import type { LayerStats } from "../../src/optimizer/optimizer.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { cpuEngine, createTrainee } from "../../src/train/engine.ts";
import type { WatchEvent } from "../../src/train/findings.ts";
import { createWatch, type Verdict, type WatchedStep } from "../../src/train/watch.ts";
import type { WatchOptions } from "../../src/train/watch_options.ts";

interface Watched {
  readonly events: WatchEvent[];
  readonly verdict: Verdict;
}

type Step = WatchedStep | number;

/** Watches a made-up run; a step is a report, or a loss alone. */
function watched(steps: number, at: (t: number) => Step, options?: WatchOptions): Watched {
  const watch = createWatch(options);
  const events: WatchEvent[] = [];
  for (let t = 0; t < steps; t++) {
    const step = at(t);
    events.push(...watch.observe(typeof step === "number" ? { loss: step } : step));
  }
  return { events, verdict: watch.verdict };
}

const found = ({ events }: Watched) => events.map((event) => `${event.kind} at ${event.step}`);

/** Gradient descent on one weight. */
function descent(loss: (w: number) => number, slope: (w: number) => number, lr: number, from: number) {
  let w = from;
  return (): WatchedStep => {
    const report = { loss: loss(w), gradientNorm: Math.abs(slope(w)), lr };
    w -= lr * slope(w);
    return report;
  };
}

const curves: readonly [string, (t: number) => number][] = [
  ["flat", () => 1],
  ["exponential to a floor", (t) => 2.2 * Math.exp(-t / 50) + 0.1],
  ["dropping at once", (t) => 2 * Math.exp(-t / 3) + 0.3],
  ["a power of the step", (t) => 2.3 * (1 + t / 10) ** -0.5],
];

describe("healthy runs", () => {
  const noises: readonly [string, (t: number, level: number, random: Random) => number][] = [
    ["in proportion", (y, level, random) => y * Math.max(0.01, 1 + level * random.normal())],
    ["of one size", (y, level, random) => y + level * random.normal()],
    ["log-normal", (y, level, random) => y * Math.exp(level * random.normal())],
  ];

  it.each(noises)("with noise %s are silent at every level", (_, noise) => {
    for (const level of [0.01, 0.1, 0.3]) {
      for (const [name, curve] of curves) {
        for (let seed = 1; seed <= 4; seed++) {
          const random = new Random(seed);
          const run = watched(500, (t) => ({
            loss: noise(curve(t), level, random),
            gradientNorm: Math.exp(0.5 * random.normal()),
            lr: 0.1,
          }));
          expect(found(run), `${name}, noise ${level}, seed ${seed}`).toEqual([]);
        }
      }
    }
  });

  it("converge, also where they have arrived", () => {
    expect(watched(300, (t) => 2.2 * Math.exp(-t / 50)).verdict).toEqual({ state: "converging", since: 6 });
    const arrived = watched(300, (t) => ({ loss: 100 + 16 * 0.64 ** t, gradientNorm: 8 * 0.8 ** t, lr: 0.1 }));
    expect(arrived).toMatchObject({ events: [], verdict: { state: "converging" } });
    // Rounding at the bottom: up and down by one unit in the last place.
    const bottom = watched(300, (t) => Math.max(16 * 0.64 ** t, 1e-12) * (t % 2 === 0 ? 1 : 1.5));
    expect(bottom.events).toEqual([]);
  });

  it("may spike, warm up and cool down", () => {
    const random = new Random(5);
    const noisy = (y: number) => y * (1 + 0.1 * random.normal());
    const spike = (t: number) => (t % 170 > 160 ? 3 * Math.exp(-((t % 170) - 160) / 2) : 0);
    expect(found(watched(500, (t) => noisy(0.3 + 2 * Math.exp(-t / 40) + spike(t))))).toEqual([]);
    expect(
      found(watched(100, (t) => ({ loss: 2.3 - 1e-7 * t ** 2, gradientNorm: 1, lr: 1e-6 * (t + 1) }))),
      "warming up",
    ).toEqual([]);
    const cosine = (t: number) => 0.05 * (1 + Math.cos((Math.PI * t) / 500));
    expect(
      found(watched(500, (t) => ({ loss: noisy(0.3 + 2 * Math.exp(-t / 50)), gradientNorm: 0.5, lr: cosine(t) }))),
      "cooling down",
    ).toEqual([]);
  });
});

describe("divergence", () => {
  it("is found while it rises, within noise too, and says from where", () => {
    expect(found(watched(9, (t) => 16 * 4 ** t))).toEqual(["diverging at 4"]);
    const random = new Random(3);
    const noisy = watched(80, (t) => (t < 40 ? 1 : 1.1 ** (t - 40)) * (1 + 0.1 * random.normal()));
    expect(noisy.events).toMatchObject([{ kind: "diverging" }]);
    const [event] = noisy.events;
    expect(event!.step).toBeGreaterThan(45);
    expect(event!.step).toBeLessThan(65);
    expect(event!.message).toMatch(
      /^the smoothed loss has risen to [12]\.\d+ at step \d+, from its best of 0\.\d+ at step/,
    );
    expect(noisy.verdict).toEqual({ state: "diverged", since: event!.step });
  });

  it("just over the bound takes as long as it takes to double", () => {
    const slow = watched(
      400,
      descent(
        (w) => w * w,
        (w) => 2 * w,
        1.001,
        4,
      ),
    );
    // 1.002^(2t) = 2 at t = 173, and the mean of the last ten lags behind.
    expect(found(slow)).toEqual(["diverging at 184"]);
  });

  it("ends when the loss is back, and then may begin again", () => {
    const bump = (t: number) => 1 + 4 * Math.exp(-(((t % 200) - 100) ** 2) / 200);
    const run = watched(400, bump);
    expect(run.events.map(({ kind }) => kind)).toEqual(["diverging", "diverging"]);
    expect(run.verdict.state).not.toBe("diverged");
    expect(found(watched(200, bump))).toHaveLength(1);
  });

  it("lasts while the loss stays where it rose to", () => {
    const run = watched(300, (t) => (t < 50 ? 0.5 : Math.min(2.3, 0.5 * 1.3 ** (t - 50))));
    expect(run.events.map(({ kind }) => kind)).toEqual(["diverging"]);
    expect(run.verdict.state).toBe("diverged");
  });

  it("into what is not finite is reported once", () => {
    const run = watched(60, (t) => ({ loss: t < 5 ? 1 : Number.NaN, gradientNorm: t < 5 ? 1 : Number.NaN, lr: 0.3 }));
    expect(found(run)).toEqual(["nonFiniteLoss at 6", "nonFiniteGradient at 6"]);
    expect(run.events[0]).toMatchObject({ last: 1, message: "the loss is NaN at step 6, after 1 (lr 0.3)" });
    expect(run.verdict).toEqual({ state: "diverged", since: 6 });
    expect(watched(1, () => Number.POSITIVE_INFINITY).events).toMatchObject([{ last: null, step: 1 }]);
  });

  it("counts skipped updates, but not those from before the watch began", () => {
    const skips = [0, 0, 1, 1, 2, 2];
    const run = watched(6, (t) => ({ loss: 1, skipped: skips[t]! }));
    expect(run.events).toMatchObject([{ kind: "nonFiniteGradient", step: 3, skipped: 1 }]);
    expect(watched(6, (t) => ({ index: 100 + t, loss: 1, skipped: 7 })).events).toEqual([]);
    expect(watched(2, () => ({ loss: 1, skipped: 1 })).events).toMatchObject([{ step: 1 }]);
    expect(watched(2, (t) => ({ loss: 1, gradientNorm: t === 1 ? Number.NaN : 1 })).events).toMatchObject([
      { step: 2 },
    ]);
    expect(watched(9, () => ({ loss: 1, gradientNorm: Number.NaN })).events).toEqual([]);
  });
});

describe("oscillation", () => {
  it.each([0, 0.1, 0.3])("of every second step is found under noise of %d of it", (noise) => {
    const random = new Random(2);
    const run = watched(200, (t) => 1 + 0.2 * (t % 2) + 0.2 * noise * random.normal());
    expect(run.events).toMatchObject([{ kind: "oscillating", period: 2 }]);
    expect(run.verdict.state).toBe("oscillating");
  });

  it.each([10, 12, 14])("of period %d is found, and its period", (period) => {
    const random = new Random(5);
    const run = watched(200, (t) => 1 + 0.3 * Math.sin((2 * Math.PI * t) / period) + 0.03 * random.normal());
    expect(run.events).toMatchObject([{ kind: "oscillating" }]);
    const [event] = run.events;
    expect(event!.kind === "oscillating" && Math.abs(event!.period - period)).toBeLessThan(1);
  });

  it("is found where gradient descent has one, and ends with it", () => {
    const valley = (lr: number) =>
      descent(
        (w) => Math.exp(w) - w,
        (w) => Math.exp(w) - 1,
        lr,
        1.5,
      );
    expect(watched(200, valley(2.2)).events).toMatchObject([{ kind: "oscillating", period: 2 }]);
    expect(watched(200, valley(1.5)).events).toEqual([]);
    const calmed = watched(300, (t) => (t < 100 ? 1 + 0.2 * (t % 2) : 0.9 * 0.97 ** (t - 100)));
    expect(calmed).toMatchObject({ events: [{ kind: "oscillating" }], verdict: { state: "converging" } });
  });

  it("that dies down, or that a falling loss outruns, is none", () => {
    expect(watched(200, (t) => 1 + 0.5 * 0.97 ** t * (t % 2)).events).toEqual([]);
    expect(watched(100, (t) => (1 + 0.1 * (t % 2)) * 0.97 ** t).events).toEqual([]);
  });

  it("that stands still is one, if the steps are long", () => {
    const still = (gradientNorm: number, lr: number) => watched(60, () => ({ loss: 16, gradientNorm, lr }));
    expect(still(8, 1).events).toMatchObject([{ kind: "oscillating", expectedFall: 64, amplitude: 0 }]);
    expect(still(8, 1).events[0]!.message).toBe(
      "the loss stays at 16 at step 40 although a step is long enough to lower it by 64: the steps cross the valley from side to side (lr 1)",
    );
    expect(still(8, 1e-4).events).toEqual([]);
  });
});

describe("a rate that is too small", () => {
  const parabola = (lr: number) =>
    descent(
      (w) => w * w,
      (w) => 2 * w,
      lr,
      4,
    );

  it("is found from gradient and rate, or from the losses alone", () => {
    const run = watched(100, parabola(1e-6));
    expect(run.events).toMatchObject([{ kind: "stalled", step: 40, updateRatio: null }]);
    expect(run.events[0]).toHaveProperty("fall", expect.closeTo(4e-6, 8));
    expect(run.events[0]).toHaveProperty("expectedFall", expect.closeTo(4e-6, 8));
    const lossOf = parabola(1e-6);
    expect(found(watched(100, () => lossOf().loss))).toEqual(["stalled at 40"]);
    expect(watched(100, parabola(1e-3)).events).toEqual([]);
  });

  it("is not what ails a run without a gradient, or one that has fallen", () => {
    expect(found(watched(100, () => ({ loss: 2.3, gradientNorm: 1e-9, lr: 0.1 })))).toEqual(["vanishingGradient at 5"]);
    expect(watched(300, (t) => ({ loss: 0.1 + 0.9 ** t, gradientNorm: 1e-3, lr: 1e-3 })).events).toEqual([]);
  });

  it("ends when it is raised", () => {
    let w = 4;
    const run = watched(200, (t) => {
      const lr = t < 60 ? 1e-6 : 0.01;
      const report = { loss: w * w, gradientNorm: 2 * w, lr };
      w -= lr * 2 * w;
      return report;
    });
    expect(found(run)).toEqual(["stalled at 40"]);
    expect(run.verdict.state).toBe("converging");
  });
});

describe("gradients", () => {
  it("that explode are reported once, with what is usual", () => {
    const random = new Random(1);
    const run = watched(200, (t) => ({
      loss: 1,
      gradientNorm: t === 99 || t === 101 ? 50 : 1 + 0.2 * random.normal(),
    }));
    expect(run.events).toMatchObject([{ kind: "explodingGradient", step: 100, layer: null, gradientNorm: 50 }]);
    expect(run.events[0]).toHaveProperty("usual", expect.closeTo(1, 0));
    const twice = watched(200, (t) => ({ loss: 1, gradientNorm: t === 99 || t === 180 ? 50 : 1 }));
    expect(found(twice)).toEqual(["explodingGradient at 100", "explodingGradient at 181"]);
  });

  it("that vanish are reported, unless the loss has come far", () => {
    const dead = watched(60, (t) => ({ loss: 2.3, gradientNorm: t < 30 ? 1 : 0 }));
    expect(dead.events).toMatchObject([{ kind: "vanishingGradient", step: 35, layer: null, gradientNorm: 0 }]);
    const done = watched(60, (t) => ({ loss: t < 30 ? 2.3 * 0.9 ** t : 0.1, gradientNorm: t < 30 ? 1 : 0 }));
    expect(done.events).toEqual([]);
  });
});

describe("layers", () => {
  const layer = (name: string, gradientNorm: number, weightNorm: number, updateNorm: number): LayerStats => ({
    name,
    gradientNorm,
    weightNorm,
    updateNorm,
  });

  function layered(steps: number, at: (t: number) => readonly LayerStats[]) {
    const random = new Random(6);
    const watch = createWatch();
    const events: WatchEvent[] = [];
    for (let t = 1; t <= steps; t++) {
      events.push(...watch.observe({ loss: 1 + 0.1 * random.normal() }), ...watch.observeLayers(t, at(t)));
    }
    return events;
  }

  it("in proportion are silent, with biases from zero, frozen ones and skipped updates", () => {
    const events = layered(100, (t) =>
      t === 50
        ? [layer("w", 0, 0, 0), layer("b", 0, 0, 0), layer("frozen", 0, 0, 0)]
        : [layer("w", 1, 10, 0.01), layer("b", 0.3, (t - 1) * 0.003, 0.003), layer("frozen", 0, 0, 0)],
    );
    expect(events).toEqual([]);
  });

  it("name the one whose update is too large or too small, once", () => {
    const events = layered(60, () => [layer("a", 1, 10, 2), layer("b", 1, 10, 0.01), layer("c", 1, 10, 1e-6)]);
    expect(events).toMatchObject([
      { kind: "largeUpdate", step: 5, layer: "a", ratio: 0.2, limit: 0.1 },
      { kind: "smallUpdate", step: 5, layer: "c", limit: 1e-5 },
    ]);
    expect(events[1]!.message).toBe("an update changes c by 1e-7 of its norm at step 5; around 0.001 is usual");
  });

  it("may be small where the schedule means it", () => {
    const random = new Random(6);
    const watch = createWatch();
    const events: WatchEvent[] = [];
    for (let t = 1; t <= 60; t++) {
      const lr = t < 30 ? 0.1 : 1e-6;
      events.push(
        ...watch.observe({ loss: 1 + 0.1 * random.normal(), lr }),
        ...watch.observeLayers(t, [layer("w", 1, 10, lr)]),
      );
    }
    expect(events).toEqual([]);
  });

  it("name the one whose gradient vanishes or explodes", () => {
    expect(layered(20, () => [layer("front", 1e-7, 1, 1e-4), layer("back", 1, 10, 0.01)])).toMatchObject([
      { kind: "vanishingGradient", step: 5, layer: "front", reference: 1, against: "back" },
    ]);
    // The whole gradient hardly changes when a small part of it explodes.
    expect(
      layered(20, (t) => [layer("front", t === 15 ? 0.5 : 0.01, 5, 1e-3), layer("back", 1, 10, 0.01)]),
    ).toMatchObject([{ kind: "explodingGradient", step: 15, layer: "front", gradientNorm: 0.5 }]);
    expect(layered(20, (t) => [layer("w", t === 15 ? 50 : 1, 5, 1e-3)])).toMatchObject([
      { kind: "explodingGradient", step: 15, layer: null },
    ]);
  });

  it("show a stall by how little they move", () => {
    const random = new Random(8);
    const watch = createWatch();
    const events: WatchEvent[] = [];
    for (let t = 1; t <= 60; t++) {
      events.push(...watch.observe({ loss: 2.3 + 0.2 * random.normal() }));
      events.push(...watch.observeLayers(t, [layer("w", 1, 10, 1e-6)]));
    }
    expect(events).toMatchObject([{ kind: "smallUpdate" }, { kind: "stalled", expectedFall: expect.any(Number) }]);
    expect(events[1]).toHaveProperty("updateRatio", expect.closeTo(1e-7, 12));
    expect(watch.verdict.state).toBe("stalled");
  });
});

describe("real runs on the CPU engine", () => {
  const random = new Random(3);
  const count = 128;
  const inputs = Float32Array.from({ length: count * 8 }, () => random.normal());
  const truth = Array.from({ length: 24 }, () => random.normal());
  const labels = Uint8Array.from({ length: count }, (_, row) => {
    const scores = [0, 1, 2].map((c) =>
      Array.from({ length: 8 }, (_, k) => inputs[row * 8 + k]! * truth[c * 8 + k]!).reduce(
        (a, b) => a + b,
        random.normal(),
      ),
    );
    return scores.indexOf(Math.max(...scores));
  });
  const data: Dataset = { name: "toy", count, features: 8, classes: 3, inputs, scale: 1, labels };

  async function train(config: ModelConfig, optimizer: OptimizerConfig, batch: number, steps: number, spread?: number) {
    const model = createModel(config);
    const tensors = spread === undefined ? initialTensors(model) : drawn(model, spread);
    const trainee = await createTrainee(
      cpuEngine(),
      model,
      tensors,
      { ...optimizer, modifiers: [layerStats()] },
      { data, batch },
    );
    const watch = createWatch();
    const events: WatchEvent[] = [];
    const order = new Random(9);
    for (let index = 1; index <= steps; index++) {
      const rows = Uint32Array.from({ length: batch }, (_, i) =>
        batch === count ? i : Math.floor(order.uniform() * count),
      );
      const report = await trainee.objective.step(rows);
      const lr = trainee.optimizer.hyper("lr", index - 1);
      events.push(...watch.observe({ ...report, index, lr }));
      events.push(...watch.observeLayers(index, await trainee.optimizer.layers()));
    }
    trainee.destroy();
    return { kinds: [...new Set(events.map(({ kind }) => kind))], events, verdict: watch.verdict };
  }

  /** Weights of one spread, whatever the width. */
  function drawn(model: Model, spread: number) {
    const weights = new Random(1);
    return model.program.tensors().map((tensor) => {
      const [rows, columns] = tensor.shape;
      if (columns === undefined) return tensor;
      return { ...tensor, data: Float32Array.from({ length: rows! * columns }, () => spread * weights.normal()) };
    });
  }

  const small: ModelConfig = { layers: [8, 16, 3], activation: "tanh" };

  it.each([
    [count, "sgd", 0.1],
    [16, "sgd", 0.1],
    [count, "adam", 0.003],
    [16, "adam", 0.003],
  ])("batch %d, %s at %d: good", async (batch, rule, lr) => {
    const run = await train(small, readConfig({ rule, lr }), batch, 150);
    expect(run.kinds).toEqual([]);
    expect(run.verdict.state).toBe("converging");
  });

  it.each([
    [count, "sgd", 1e-6],
    [16, "sgd", 1e-6],
    [16, "adam", 1e-7],
  ])("batch %d, %s at %d: too small", async (batch, rule, lr) => {
    const run = await train(small, readConfig({ rule, lr }), batch, 60);
    expect(run.kinds).toEqual(["smallUpdate", "stalled"]);
    expect(run.verdict).toEqual({ state: "stalled", since: 40 });
  });

  it.each([
    [count, "sgd", 100],
    [16, "sgd", 100],
  ])("batch %d, %s at %d: too large", async (batch, rule, lr) => {
    const run = await train(small, readConfig({ rule, lr }), batch, 60);
    expect(run.kinds.slice(0, 2)).toEqual(["largeUpdate", "diverging"]);
    expect(run.verdict.state).toBe("diverged");
  });

  it("a deep narrow net from tiny weights: vanishing, layer by layer", async () => {
    const deep: ModelConfig = { layers: [8, 6, 6, 6, 6, 6, 6, 3], activation: "tanh" };
    const lost = await train(deep, { rule: sgd, lr: 0.05 }, count, 20, 0.02);
    const first = lost.events.find((event) => event.kind === "vanishingGradient");
    expect(first).toMatchObject({ layer: "layer1.weight", against: "layer7.bias", step: 5 });
    const sound = await train(deep, { rule: sgd, lr: 0.05 }, count, 20, 0.4);
    expect(sound.kinds).toEqual([]);
  });
});

describe("options and input", () => {
  it("that are bad are refused", () => {
    expect(() => createWatch({ window: 7 })).toThrow("watch.window is 7; it must be a whole number in [8, 4096]");
    expect(() => createWatch({ alternation: 4 })).toThrow("watch.alternation is 4");
    expect(() => createWatch({ explode: 1 })).toThrow(OptionError);
    expect(() => createWatch({ patience: 3 } as WatchOptions)).toThrow('watch has an unknown option "patience"');
    const watch = createWatch();
    expect(() => watch.observe({ loss: "1" as unknown as number })).toThrow('loss is "1"; it must be a number');
    expect(watch.verdict).toEqual({ state: "waiting", since: 0 });
  });

  it("move the lines", () => {
    const bump = (t: number) => (t < 50 ? 1 : Math.min(2.6, 1.05 ** (t - 50)));
    expect(found(watched(150, bump))).toHaveLength(1);
    expect(found(watched(150, bump, { rise: 3 }))).toEqual([]);
    expect(found(watched(60, (t) => 1 + 0.1 * (t % 2), { window: 16 }))).toEqual(["oscillating at 16"]);
  });

  it("give the same findings every time", () => {
    const run = () => {
      const random = new Random(4);
      return watched(300, (t) => ({ loss: Math.exp(t / 60) * (1 + 0.3 * random.normal()), gradientNorm: 1.02 ** t }));
    };
    expect(run()).toEqual(run());
  });
});
