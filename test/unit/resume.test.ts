// Runs that go on from a checkpoint, on the CPU: to the bit as if they had never stopped.

import { describe, expect, it } from "vitest";
import { DataError, DeviceError, FalllineError, OptionError } from "../../src/base/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/base/safetensors.ts";
import { batches } from "../../src/objectives/data/dataset.ts";
import type { Optimizer } from "../../src/optimizer/optimizer.ts";
import { type Inside, inside } from "../../src/optimizer/shell.ts";
import { adamw } from "../../src/rules/adam.ts";
import { rules } from "../../src/rules/index.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { cpuEngine, type Engine } from "../../src/train/engine.ts";
import { decodeRunCheckpoint, type RunCheckpoint } from "../../src/train/run_checkpoint.ts";
import type { RunConfig } from "../../src/train/run_config.ts";
import { type BeforeStep, type TrainOptions, train } from "../../src/train/train.ts";
import { checkpointed, everything, expectResumed } from "../resume.ts";
import { data, config as plainConfig } from "../training.ts";

describe("a run that goes on from a checkpoint", () => {
  it("ends as if it had never stopped, from every step", async () => {
    const config = { ...everything, optimizer: { rule: adamw, ...everything.optimizer } } as RunConfig;
    const result = await expectResumed(cpuEngine(), config, data);
    expect(result.metrics.length).toBeGreaterThan(3);
    expect(result.events.length).toBeGreaterThan(0);
  });

  it.each(rules.map(({ name }) => name))("does so with %s", async (rule) => {
    const fallback = rule === "muon" ? { fallback: { rule: adamw } } : {};
    const config = { ...everything, optimizer: { rule, ...fallback, ...everything.optimizer } } as RunConfig;
    // In the middle of an update, right after a value of the metric.
    await expectResumed(cpuEngine(), { ...config, steps: 14 }, data, 8);
  });
});

const engine = cpuEngine();

/** A run that has kept its checkpoint after step 5. */
async function keptAt5(config: RunConfig = { ...plainConfig, steps: 8 }): Promise<Uint8Array<ArrayBuffer>> {
  const { checkpoints } = await checkpointed(engine, config, data, { saveEvery: 5 });
  return checkpoints[0]!.bytes;
}

describe("the best parameters of a run that goes on", () => {
  it("come back though they were kept under a schedule that was set on the way and is no longer", async () => {
    const kept: RunCheckpoint[] = [];
    const job = {
      ...{ engine, ...plainConfig, data, steps: 12, metric: { type: "loss", every: 2 }, stop: { patience: 9 } },
      beforeStep: ({ index, optimizer }: BeforeStep) => {
        if (index === 2) optimizer.set({ lr: sequential({ schedules: [0.1, 0.2], milestones: [4] }) });
        if (index === 5) optimizer.set({ lr: 30 });
      },
    } as const;
    const result = await train({ ...job, saveEvery: 8, onCheckpoint: (checkpoint) => void kept.push(checkpoint) });
    expect(result.best!.step).toBe(4);
    expect((await train({ ...job, resume: kept[0]!.bytes })).params).toEqual(result.params);
  });
});

describe("checkpoints of a run", () => {
  it("come every so many steps and at the end, one after the other", async () => {
    const steps: number[] = [];
    let busy = false;
    const onCheckpoint = async ({ step }: RunCheckpoint) => {
      expect(busy).toBe(false);
      busy = true;
      await new Promise((resolve) => setTimeout(resolve, 5));
      busy = false;
      steps.push(step);
    };
    await train({ engine, ...plainConfig, steps: 11, data, saveEvery: 4, onCheckpoint });
    expect(steps.splice(0)).toEqual([4, 8, 11]);
    await train({ engine, ...plainConfig, steps: 25, data, onCheckpoint });
    expect(steps.splice(0)).toEqual([3, 6, 9, 12, 15, 18, 21, 24, 25]);
    const stop = new AbortController();
    await train({
      engine,
      ...plainConfig,
      data,
      onCheckpoint,
      saveEvery: 100,
      signal: stop.signal,
      onStep: ({ index }) => index === 5 && stop.abort(),
    });
    expect(steps).toHaveLength(1);
    expect(steps[0]).toBeGreaterThanOrEqual(5);
  });

  it("end the run with what their listener throws", async () => {
    const onCheckpoint = () => Promise.reject(new Error("the disk is full"));
    const run = (options: TrainOptions) => train({ engine, ...plainConfig, data, onCheckpoint, ...options });
    await expect(run({ saveEvery: 5 })).rejects.toThrow("the disk is full");
    await expect(run({ saveEvery: 100 })).rejects.toThrow("the disk is full");
  });

  it("describe what they hold", async () => {
    const state = decodeRunCheckpoint(await keptAt5({ ...plainConfig, metric: { type: "testLoss", every: 2 } }));
    expect(state).toMatchObject({ step: 5, backend: "cpu", skipped: 0, config: { steps: 20 }, data: { count: 32 } });
    expect([state.losses.length, state.metrics.map(({ step }) => step), state.best?.step]).toEqual([5, [2, 4], 4]);
    await engine.optimizer([], state.config.optimizer).catch((error) => expect(error).toBeInstanceOf(OptionError));
  });

  it("keep losses that are not finite, and go on from them", async () => {
    const optimizer = sgd({ lr: { type: sequential, milestones: [3], schedules: [0.1, 1e30] } });
    const result = await expectResumed(engine, { ...plainConfig, steps: 8, optimizer }, data, 3);
    expect(result).toMatchObject({ reason: "diverged", divergedAt: expect.any(Number) });
  });

  it("carry a run to more steps than it was to have, gradients left over and all", async () => {
    const optimizer = { rule: adamw, accumulate: 3 } as const;
    const long = { ...plainConfig, optimizer, steps: 10, metric: { type: "loss", every: 4 } } as const;
    const { checkpoints } = await checkpointed(engine, { ...long, steps: 8 }, data, { saveEvery: 100 });
    const longer = await train({ engine, ...long, data, resume: checkpoints[0]!.bytes });
    expect(longer).toEqual(await train({ engine, ...long, data }));
  });

  it.each<[string, Partial<RunConfig>, string]>([
    [
      "another rate",
      { optimizer: sgd({ lr: 0.2 }) },
      "optimizer.lr is 0.2; it must be 0.1, as in the run of the checkpoint",
    ],
    ["another seed", { seed: 4 }, "seed is 4; it must be 3, as in the run of the checkpoint"],
    ["fewer steps", { steps: 6 }, "steps is 6; it must be at least 8, the steps of the run of the checkpoint"],
  ])("are refused by a run with %s", async (_, changed, message) => {
    const resume = await keptAt5();
    const run = train({ engine, ...plainConfig, steps: 8, ...changed, data, resume });
    await expect(run).rejects.toThrow(OptionError);
    await expect(run).rejects.toThrow(message);
  });

  it("are refused by other data, and where they are none", async () => {
    const resume = await keptAt5();
    const config = { ...plainConfig, steps: 8 };
    const other = { ...data, inputs: data.inputs.map((input, i) => (i === 127 ? input + 1e-6 : input)) };
    await expect(train({ engine, ...config, data: other, resume })).rejects.toThrow(
      "the rows to train on differ from those of the checkpoint's run: the hash of their numbers is",
    );
    const fewer = { ...data, count: 31, inputs: data.inputs.subarray(0, 124), labels: data.labels.subarray(0, 31) };
    await expect(train({ engine, ...config, data: fewer, resume })).rejects.toThrow("their count is 31, and was 32");
    await expect(train({ engine, ...config, data, resume: new Uint8Array(9) })).rejects.toThrow(DataError);
    await expect(train({ engine, ...config, data, resume: "out" as never })).rejects.toThrow(
      'resume is "out"; it must be',
    );
    await expect(train({ engine, ...config, data, saveEvery: 5 })).rejects.toThrow("saveEvery is 5, which needs");
    await expect(train({ engine, ...config, data, saveEvery: 0, recover: async () => engine })).rejects.toThrow(
      "saveEvery is 0; it must be a whole number >= 1",
    );
    await expect(train({ engine, ...config, data, onCheckpoint: 5 as never })).rejects.toThrow(
      "onCheckpoint is 5; it must be a function",
    );
  });

  it("that were changed by hand are refused or go on, but never fail otherwise", async () => {
    const config = { ...everything, optimizer: { rule: adamw, ...everything.optimizer }, steps: 8 } as RunConfig;
    const { metadata, tensors } = decodeSafetensors(await keptAt5(config));
    let [refused, seed] = [0, 1];
    const below = (n: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % n;
    };
    for (let i = 0; i < 60; i++) {
      const keys = Object.keys(metadata);
      const key = keys[below(keys.length)]!;
      const text = metadata[key]!;
      const at = below(text.length);
      const changed = text.slice(0, at) + ["", "0", "-", '"', "}", "null", "[]", "1e9"][below(8)] + text.slice(at + 1);
      const resume = encodeSafetensors({ metadata: { ...metadata, [key]: changed }, tensors });
      try {
        await train({ engine, ...config, data, test: data, resume });
      } catch (error) {
        expect(error, `${key}: ${changed}`).toBeInstanceOf(FalllineError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(30);
  });
});

describe("batches from the middle on", () => {
  it.each([5, (step: number) => 3 + (step % 4)])("are those of a run from its start", (size) => {
    const order = batches(17, size, 2);
    const all = Array.from({ length: 30 }, () => order.next().value);
    for (const skip of [0, 1, 3, 4, 11, 29]) expect(batches(17, size, 2, skip).next().value).toEqual(all[skip]);
  });
});

describe("a device that is lost", () => {
  /** An engine that is lost at its n-th call. */
  function losing(n: number): Engine {
    let calls = 0;
    const count = () => {
      if (calls++ >= n) throw new DeviceError("lost");
    };
    const counting = <T extends object>(target: T, immediate: readonly string[]): T =>
      new Proxy(target, {
        get(of, name) {
          const value: unknown = Reflect.get(of, name, of);
          // What checkpoints are read from and written to.
          if (name === inside) {
            const its = value as Inside;
            return { ...its, store: counting(its.store, ["mustLive"]) };
          }
          if (typeof value !== "function") return value;
          if (name === "destroy" || name === "hyper") return value.bind(of);
          if (immediate.includes(String(name))) {
            return (...given: unknown[]) => {
              count();
              return value.apply(of, given);
            };
          }
          return async (...given: unknown[]) => {
            count();
            const made: unknown = await value.apply(of, given);
            count();
            return made;
          };
        },
      });
    const cpu = cpuEngine();
    const bare = new Map<Optimizer, Optimizer>();
    return {
      ...cpu,
      async optimizer(...given) {
        count();
        const optimizer = await cpu.optimizer(...given);
        const counted = counting(optimizer, ["write", "observe", "zeroGrad", "step"]);
        bare.set(counted, optimizer);
        return counted;
      },
      async objective(optimizer, ...given) {
        return counting(await cpu.objective(bare.get(optimizer)!, ...given), []);
      },
      lost: async () => (calls > n ? "unknown: by the test" : null),
    };
  }

  it("at any call costs no step, and each is reported once", async () => {
    const config = { ...everything, optimizer: { rule: adamw, ...everything.optimizer, ema: {} }, steps: 8 };
    const plain = await train({ engine, ...(config as RunConfig), data, test: data });
    let losses = 0;
    for (let n = 0; ; n++) {
      const steps: number[] = [];
      let recovered = false;
      const result = await train({
        engine: losing(n),
        ...(config as RunConfig),
        data,
        test: data,
        saveEvery: 3,
        onStep: ({ index }) => steps.push(index),
        recover: async () => {
          recovered = true;
          return engine;
        },
      });
      expect(result, `lost at call ${n}`).toEqual(plain);
      expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      if (!recovered) break;
      losses++;
    }
    expect(losses).toBeGreaterThan(30);
  });

  it("without recover rejects with a DeviceError, and whatever failed is its cause", async () => {
    const raw: Engine = {
      ...cpuEngine(),
      optimizer: () => Promise.reject(new DOMException("", "OperationError")),
      lost: async () => "destroyed: on purpose",
    };
    const run = train({ engine: raw, ...plainConfig, data });
    await expect(run).rejects.toThrow(DeviceError);
    await expect(run).rejects.toThrow("the GPU device was lost (destroyed: on purpose)");
  });
});
