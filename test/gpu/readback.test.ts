// A submission that the device refuses throws nothing, and leaves zeros or what was there before: no readback may take that
// for an answer. And what is destroyed while calls are under way leaves nothing behind, and fails them in words.

import { afterEach, describe, expect, it, vi } from "vitest";
import { DeviceError, FalllineError } from "../../src/base/errors.ts";
import { type ControlField, controlRecord, halted, stuckReplica } from "../../src/engines/gpu/control.ts";
import { deviceLoss, learnLoss } from "../../src/engines/gpu/device.ts";
import { external } from "../../src/engines/gpu/external.ts";
import type { GpuOptimizer } from "../../src/engines/gpu/optimizer.ts";
import { arrayDataset } from "../../src/objectives/data/arrays.ts";
import { createLandscape } from "../../src/objectives/landscapes/index.ts";
import { rosenbrock } from "../../src/objectives/landscapes/rosenbrock.ts";
import { createModel } from "../../src/objectives/models/index.ts";
import { createObjective, type GpuObjective } from "../../src/objectives/objective_gpu.ts";
import { initialTensors } from "../../src/objectives/program.ts";
import type { Tensor } from "../../src/optimizer/arena.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/optimizer/checkpoint.ts";
import { readConfig } from "../../src/optimizer/read_config.ts";
import { adamw } from "../../src/rules/adam.ts";
import { muon } from "../../src/rules/muon.ts";
import { nadam } from "../../src/rules/nadam.ts";
import { sgd } from "../../src/rules/sgd.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import { train } from "../../src/train/train.ts";
import { curve, peaks } from "../custom_objectives.ts";
import { createOptimizer } from "../optimizers.ts";
import { type BufferFault, faultyDevice } from "./faults.ts";
import { freshDevice } from "./setup.ts";

const { device, alive, uncaptured, failBuffer, refuse } = await faultyDevice();

// Node ends a process over these.
const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
process.on("unhandledRejection", note);

afterEach(async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(unhandled.splice(0)).toEqual([]);
  expect([...alive].map(({ label }) => label)).toEqual([]);
});

const data = arrayDataset({
  inputs: Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(i)]),
  labels: Array.from({ length: 40 }, (_, i) => i % 3),
});
const model = createModel({ layers: [2, 4, 3], l2: 0.01 });
const rows = Uint32Array.from({ length: 8 }, (_, i) => i);
const others = Uint32Array.from({ length: 8 }, (_, i) => 20 + i);
const ones = ({ segments }: GpuOptimizer) =>
  Object.fromEntries(segments.map(({ name, length }) => [name, new Float32Array(length).fill(1)]));

interface Made {
  readonly optimizer: GpuOptimizer;
  readonly objective: GpuObjective;
}

async function make(on = device, tensors: readonly Tensor[] = initialTensors(model)): Promise<Made> {
  const optimizer = await createOptimizer(on, tensors, { rule: adamw, lr: 0.01, watch: true });
  return { optimizer, objective: await createObjective(optimizer, model, { data, batch: 8 }) };
}

function destroy({ optimizer, objective }: Made): void {
  objective.destroy();
  optimizer.destroy();
}

const bufferOf = (bytes: number) =>
  device.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });

/** Every call that answers later. */
const calls: readonly [string, (made: Made) => Promise<unknown>][] = [
  ["step", ({ objective }) => objective.step(rows)],
  ["gradient", ({ objective }) => objective.gradient(rows)],
  ["evaluate", ({ objective }) => objective.evaluate(data)],
  ["hessianVector", ({ optimizer, objective }) => objective.hessianVector(ones(optimizer), { rows })],
];
const reads: readonly [string, (made: Made) => Promise<unknown>][] = [
  ["read", ({ optimizer }) => optimizer.read()],
  ["read of a slot", ({ optimizer }) => optimizer.read("m")],
  ["stats", ({ optimizer }) => optimizer.stats()],
  ["layers", ({ optimizer }) => optimizer.layers()],
  ["save", ({ optimizer }) => saveCheckpoint(optimizer)],
];

describe("a browser that asks for finished work only now and then", () => {
  /** Empty submissions while an optimizer is read twice, each map taking a while. */
  async function nudges(userAgent: string): Promise<{ readonly during: number; readonly after: number }> {
    const { optimizer, objective } = await make();
    vi.stubGlobal("navigator", { userAgent });
    const submit = vi.spyOn(GPUQueue.prototype, "submit");
    const map = GPUBuffer.prototype.mapAsync;
    vi.spyOn(GPUBuffer.prototype, "mapAsync").mockImplementation(async function (this: GPUBuffer, mode) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return map.call(this, mode);
    });
    const empty = () => submit.mock.calls.filter(([buffers]) => [...buffers].length === 0).length;
    try {
      await Promise.all([optimizer.read(), optimizer.read("m")]);
      const during = empty();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { during, after: empty() - during };
    } finally {
      vi.restoreAllMocks();
      vi.unstubAllGlobals();
      objective.destroy();
      optimizer.destroy();
    }
  }

  it("is nudged while reads are under way, and no longer", async () => {
    const { during, after } = await nudges("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0");
    expect(during).toBeGreaterThan(2);
    expect(after).toBeLessThanOrEqual(1);
  });

  it("that asks by itself is not", async () => {
    expect(await nudges("Mozilla/5.0 Chrome/150.0.0.0")).toEqual({ during: 0, after: 0 });
  });
});

describe("a submission that the device refuses", () => {
  it("rejects every read of it with the device's message, and leaves later calls alone", async () => {
    const made = await make();
    const [loss] = await made.objective.gradient(others);
    const { loss: evaluated } = await made.objective.evaluate(data);
    // How many reports are on their way at once is a matter of time, and staging buffers of reads are kept.
    const lasting = () => [...alive].filter(({ label }) => !/^fallline (report|readback)$/.test(label)).length;
    const before = lasting();
    for (const [name, call] of [...calls, ...reads]) {
      // The first submission, and a later one where there are more.
      for (const which of name === "evaluate" ? [0, 3] : name === "hessianVector" ? [0, 1] : [0]) {
        const refusing = refuse((n) => n === which);
        const pending = call(made);
        await expect(pending, name).rejects.toThrow(DeviceError);
        await expect(pending, name).rejects.toThrow(/refused the submission: .*destroyed/);
        refusing.stop();
      }
    }
    expect(lasting()).toBe(before);
    expect(await made.objective.gradient(others)).toEqual([loss]);
    expect((await made.objective.evaluate(data)).loss).toBe(evaluated);
    expect((await made.objective.step(rows)).step).toBe(1);
    destroy(made);
    expect(uncaptured).toEqual([]);
  });

  it("of a training ends it with that error, whichever it is, and no loss is made up", async () => {
    const config = { model: model.config, optimizer: { rule: adamw }, batch: 8, steps: 6 };
    const whole = await train({ engine: webgpuEngine(device), ...config, data });
    for (const which of [2, 4]) {
      const refusing = refuse((n) => n === which);
      const losses: number[] = [];
      const running = train({ engine: webgpuEngine(device), ...config, data, onStep: ({ loss }) => losses.push(loss) });
      await expect(running).rejects.toThrow(DeviceError);
      expect(whole.losses.slice(0, losses.length)).toEqual(losses);
      refusing.stop();
    }
  });

  it("of a step is reported by the next read, once, with how many there were", async () => {
    const optimizer = await createOptimizer(
      device,
      [{ name: "x", shape: [2] }],
      readConfig({ rule: sgd, lr: 1, accumulate: 2 }),
    );
    optimizer.write("gradients", { x: [1, 1] });
    const steps = (count: number) => {
      for (let i = 0; i < count; i++) optimizer.step();
    };
    steps(4);
    const refusing = refuse();
    steps(6);
    refusing.stop();
    steps(2);
    const [first, second] = await Promise.allSettled([optimizer.stats(), optimizer.read()]);
    expect(first).toMatchObject({ status: "rejected", reason: { name: "DeviceError" } });
    expect(String((first as PromiseRejectedResult).reason)).toMatch(/3 of the steps submitted earlier did not run/);
    expect(second).toMatchObject({ status: "fulfilled", value: { x: Float32Array.of(-3, -3) } });
    expect((await optimizer.stats()).step).toBe(3);
    const checkpoint = await saveCheckpoint(optimizer);
    refuse();
    steps(2);
    refusing.stop();
    await loadCheckpoint(optimizer, checkpoint);
    steps(2);
    expect((await optimizer.stats()).step).toBe(4);
    optimizer.destroy();
    uncaptured.length = 0;
  });

  it("of a step that only adds up a gradient is reported too", async () => {
    const optimizer = await createOptimizer(
      device,
      [{ name: "x", shape: [2] }],
      readConfig({ rule: sgd, lr: 1, accumulate: 3 }),
    );
    optimizer.write("gradients", { x: [1, 1] });
    for (let i = 0; i < 4; i++) optimizer.step();
    const refusing = refuse();
    optimizer.step();
    refusing.stop();
    await expect(optimizer.read()).rejects.toThrow(/^accumulate lacks a gradient/);
    for (let i = 0; i < 2; i++) optimizer.step();
    expect((await optimizer.read()).x).toEqual(Float32Array.of(-2, -2));
    optimizer.destroy();
    uncaptured.length = 0;
  });

  it("of a step is not held against replicas that are halted or have underflowed", async () => {
    const config = { rule: sgd, replicas: [{}, {}], lossScale: { init: 2, min: 2 } } as const;
    const optimizer = await createOptimizer(device, [{ name: "x", shape: [1] }], config);
    optimizer.halt(1);
    optimizer.write("gradients", { x: [1] });
    for (let i = 0; i < 3; i++) optimizer.step();
    expect((await optimizer.stats({ replica: 1 })).step).toBe(0);
    optimizer.resume(1);
    optimizer.write("gradients", { x: [Number.NaN] }, { replica: 1 });
    for (let i = 0; i < 3; i++) optimizer.step();
    expect(await optimizer.stats({ replica: 1 })).toMatchObject({ step: 0, skipped: 1, underflowed: true });
    optimizer.step();
    expect((await optimizer.stats()).step).toBe(7);
    optimizer.destroy();
  });
});

describe("a caller's buffer that is destroyed or mapped", () => {
  const ranges = () => ({ params: { buffer: bufferOf(64) }, gradients: { buffer: bufferOf(64) } });
  const create = (range: ReturnType<typeof ranges>) =>
    createOptimizer(
      device,
      [external({ name: "x", shape: [4], ...range }), { name: "ours", shape: [2] }],
      sgd({ lr: 1 }),
    );

  it.each<[string, "params" | "gradients", (optimizer: GpuOptimizer) => Promise<unknown>]>([
    ["read", "params", (optimizer) => optimizer.read()],
    ["save", "params", (optimizer) => saveCheckpoint(optimizer)],
    ["read of gradients", "gradients", (optimizer) => optimizer.read("gradients")],
  ])("%s rejects", async (_, role, call) => {
    const range = ranges();
    const optimizer = await create(range);
    range[role].buffer.destroy();
    await expect(call(optimizer)).rejects.toThrow(/^reading back from the GPU failed: .* destroyed/);
    optimizer.destroy();
    for (const { buffer } of Object.values(range)) buffer.destroy();
  });

  it("so does a load, which writes to it", async () => {
    const range = ranges();
    const optimizer = await create(range);
    const checkpoint = await saveCheckpoint(optimizer);
    range.params.buffer.destroy();
    await expect(loadCheckpoint(optimizer, checkpoint)).rejects.toThrow(
      /^the device refused .*what was loaded: .*destroyed/,
    );
    optimizer.destroy();
    range.gradients.buffer.destroy();
  });

  it("so do stats once it is optimizer.control, and the steps of an objective", async () => {
    const optimizer = await create(ranges());
    optimizer.control.destroy();
    await expect(optimizer.stats()).rejects.toThrow(DeviceError);
    optimizer.destroy();
    const tensors = initialTensors(model).map(({ name, shape }) =>
      external({ name, shape, params: { buffer: bufferOf(256) }, gradients: { buffer: bufferOf(256) } }),
    );
    const made = await make(device, tensors);
    const { step } = await made.objective.step(rows);
    expect(step).toBe(1);
    tensors[0]!.external.params.buffer.destroy();
    for (let i = 0; i < 2; i++) await expect(made.objective.step(others)).rejects.toThrow(DeviceError);
    destroy(made);
    for (const buffer of alive) buffer.destroy();
    uncaptured.length = 0;
  });

  it("is named, whether it is destroyed, of another device or invalid, and not mistaken for a lack of memory", async () => {
    const foreign = (await freshDevice()).createBuffer({ size: 64, usage: GPUBufferUsage.STORAGE });
    device.pushErrorScope("validation");
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE;
    const invalid = device.createBuffer({ size: 64, usage });
    await device.popErrorScope();
    for (const buffer of [foreign, invalid]) {
      const range = ranges();
      const creating = create({ ...range, params: { buffer } });
      await expect(creating).rejects.toThrow(
        /^the params of tensor "x" are in an invalid buffer or another device's: .+/,
      );
      for (const each of alive) each.destroy();
    }
  });
});

describe("what is destroyed while calls are under way", () => {
  it.each(calls)("%s rejects with a message, and leaves nothing behind", async (name, call) => {
    const right = await make();
    const answer = await call(right);
    destroy(right);
    const ends: readonly ((made: Made) => void | Promise<void>)[] = [
      destroy,
      ({ optimizer }) => optimizer.destroy(),
      async (made) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        destroy(made);
      },
    ];
    for (const end of ends) {
      const made = await make();
      const pending = call(made);
      const settled = Promise.allSettled([pending]);
      await end(made);
      const [result] = await settled;
      if (result.status === "fulfilled") expect(result.value).toEqual(answer);
      else expect(result.reason, name).toBeInstanceOf(DeviceError);
      destroy(made);
      expect(alive.size).toBe(0);
    }
    const made = await make();
    made.optimizer.destroy();
    await expect(call(made)).rejects.toThrow(`${name}() was called on a destroyed optimizer`);
    made.objective.destroy();
    await expect(call(made)).rejects.toThrow(`${name}() was called on a destroyed objective`);
    expect(uncaptured).toEqual([]);
  });

  it("ends no process where nobody awaited it", async () => {
    for (const [, call] of calls) {
      const made = await make();
      void call(made);
      destroy(made);
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
    // But what fails for other reasons is reported.
    const made = await make();
    void made.objective.step(new Uint32Array());
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(unhandled.splice(0).map(String)).toEqual([expect.stringMatching(/^OptionError: a step was given 0 rows/)]);
    destroy(made);
  });

  it("has no objective made of an optimizer that is gone", async () => {
    const { optimizer, objective } = await make();
    objective.destroy();
    const making = createObjective(optimizer, model, { data, batch: 8 });
    optimizer.destroy();
    await expect(making).rejects.toThrow(DeviceError);
    await expect(createObjective(optimizer, model, { data, batch: 8 })).rejects.toThrow("createObjective() was called");
  });
});

describe("a device that is lost", () => {
  it("fails what is under way with a DeviceError that says so, at whatever moment", async () => {
    for (const turns of [0, 1, 4, 12]) {
      const lost = await freshDevice();
      const working = (async () => {
        const made = await make(lost);
        await made.objective.step(rows);
        await made.objective.evaluate(data);
        await saveCheckpoint(made.optimizer);
      })();
      const settled = Promise.allSettled([working]);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, turn));
      lost.destroy();
      const [result] = await settled;
      if (result.status === "rejected") {
        expect(result.reason).toBeInstanceOf(FalllineError);
        expect(String(result.reason)).toMatch(/lost \(destroyed: /);
      }
      expect((await learnLoss(lost))?.reason).toBe("destroyed");
      expect(deviceLoss(lost).info).toBeDefined();
    }
    expect(deviceLoss(device).info).toBeUndefined();
  });
});

describe("an update that ran and did nothing", () => {
  type Fields = Partial<Record<ControlField, number>>;
  const record = (fields: Fields) => {
    const words = new Uint32Array(15);
    for (const [field, value] of Object.entries(fields)) {
      words[controlRecord.index(field as ControlField)] = value;
    }
    return [...words];
  };
  it.each<[string, Fields, Fields, number | undefined, number?]>([
    ["made a step", { step: 3 }, { step: 4 }, undefined],
    ["lacks gradients", { step: 3, micro: 1 }, { step: 3, micro: 2 }, undefined, 3],
    ["has them all", { step: 3, micro: 2 }, { step: 3, micro: 3 }, 1, 3],
    ["skipped one", { step: 3, skipped: 1 }, { step: 3, skipped: 2 }, undefined],
    ["was halted", { step: 3, skip: halted }, { step: 3, skip: halted }, undefined],
    ["had underflowed", { step: 3, underflow: 1 }, { step: 3, underflow: 1 }, undefined],
    ["stayed where it was", { step: 3, skipped: 1 }, { step: 3, skipped: 1 }, 1],
  ])("is found by its replica, which %s", (_, before, after, stuck, accumulate = 1) => {
    const [was, is] = [before, after].map((fields) => [
      ...record({ step: 1, micro: accumulate - 1 }),
      ...record(fields),
    ]);
    is![0] = 2;
    expect(stuckReplica(Uint32Array.from(was!), Uint32Array.from(is!), 15, accumulate)).toBe(stuck);
  });
});

describe("the staging buffers of reads", () => {
  it("are kept by size up to 16 MB, and gone with the optimizer", async () => {
    const tensors = [3, 5].map((megabytes) => ({ name: `w${megabytes}`, shape: [2 ** 18 * megabytes] }));
    const optimizer = await createOptimizer(device, tensors, { rule: sgd, momentum: 0.9 });
    const kept = () => [...alive].filter(({ label }) => label === "fallline readback").map(({ size }) => size >> 20);
    await optimizer.stats();
    await Promise.all([optimizer.read(), optimizer.read()]);
    expect(kept()).toEqual([0, 8]);
    const made = alive.size;
    await optimizer.read("momentum");
    expect(alive.size).toBe(made);
    // Parameters and slots are more than that; they leave what is kept as it is.
    await saveCheckpoint(optimizer);
    expect(kept()).toEqual([0, 8]);
    const reading = optimizer.read();
    optimizer.destroy();
    await Promise.allSettled([reading]);
    expect(alive.size).toBe(0);
  });
});

describe("a buffer that cannot be made", () => {
  const land = createLandscape(rosenbrock({ dimension: 2 }));

  /** Fails one buffer after the other, in both ways. */
  async function walk(work: () => Promise<unknown>): Promise<number> {
    await work();
    const before = alive.size;
    let tried = 0;
    for (const fault of ["throws", "invalid"] satisfies BufferFault[]) {
      for (let n = 1; ; n++) {
        const failing = failBuffer(n, fault);
        const [result] = await Promise.allSettled([work()]);
        failing.stop();
        if (!failing.hit) break;
        tried++;
        expect(result, `buffer ${n} ${fault}`).toMatchObject({ status: "rejected" });
        const { reason } = result as PromiseRejectedResult;
        expect(reason, `buffer ${n} ${fault}: ${reason.stack}`).toBeInstanceOf(DeviceError);
        expect(reason.message).toMatch(
          /^(the device (could not hold|refused) |reading back from the GPU failed: ).*: .+/,
        );
        expect(alive.size, `buffers left after ${reason}`).toBe(before);
      }
    }
    expect(uncaptured).toEqual([]);
    return tried;
  }

  /** Makes something, uses it, and destroys it whatever comes of that. */
  async function using<T extends { destroy(): void }>(making: Promise<T>, use?: (made: T) => Promise<unknown>) {
    const made = await making;
    try {
      await use?.(made);
    } finally {
      made.destroy();
    }
  }

  it("fails createOptimizer, read, save, stats and layers with an error of ours, and leaves none behind", async () => {
    const config = {
      ...({ rule: nadam, clip: { type: "groupNorm", maxNorm: 1 }, skipNonFinite: true } as const),
      ...{ watch: true, accumulate: 2, ema: {}, groups: [{ params: "w", rule: muon }] },
    };
    const tensors = [
      { name: "w", shape: [3, 4] },
      { name: "b", shape: [5] },
    ];
    expect(await walk(() => using(createOptimizer(device, tensors, config)))).toBeGreaterThan(40);
    await using(createOptimizer(device, tensors, config), async (optimizer) => {
      for (const call of [
        () => optimizer.read(),
        () => optimizer.read("ema"),
        () => optimizer.stats(),
        () => optimizer.layers(),
        () => saveCheckpoint(optimizer),
      ]) {
        // The second of two at once finds none of the staging buffers that are kept.
        const twice = async () => {
          for (const result of await Promise.allSettled([call(), call()])) {
            if (result.status === "rejected") throw result.reason;
          }
        };
        expect(await walk(twice)).toBeGreaterThan(0);
      }
    });
  });

  it("fails objectives and what they are asked likewise", async () => {
    await using(createOptimizer(device, initialTensors(model), { rule: adamw }), async (optimizer) => {
      const step = (objective: GpuObjective) => objective.step(rows);
      await walk(() => using(createObjective(optimizer, model, { data, batch: 8 }), step));
      await using(createObjective(optimizer, model, { data, batch: 8 }), async (objective) => {
        await walk(() => objective.evaluate(data));
        await walk(() => objective.hessianVector(ones(optimizer), { rows }));
      });
    });
  });

  it("fails landscapes and custom objectives likewise", async () => {
    const points = initialTensors(land, Float32Array.of(1, 2, 3, 4));
    await using(createOptimizer(device, points, { rule: sgd }), (optimizer) =>
      walk(() =>
        using(createObjective(optimizer, land), async (objective) => {
          await objective.step();
          await objective.evaluate();
        }),
      ),
    );
    const bumps = peaks.tensors.map(({ name, shape }) => ({ name, shape }));
    await using(createOptimizer(device, bumps, { rule: sgd }), (optimizer) =>
      walk(() =>
        using(createObjective(optimizer, peaks, { data: curve(16), batch: 8 }), async (objective) => {
          await objective.step(rows);
          await objective.evaluate(curve(16));
        }),
      ),
    );
  });
});
