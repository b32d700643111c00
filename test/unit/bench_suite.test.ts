// The benchmark's core with engines and devices that are made up: what a row holds, who is measured when, and that what goes
// wrong with one engine is reported in its row and nowhere else.
import { EventEmitter } from "node:events";
import type { Page } from "puppeteer";
import { describe, expect, it } from "vitest";
import { passedOver } from "../../bench/browser.ts";
import { checkFilter, chosen, nodeCases, pageCases, titleOf, withoutEngines } from "../../bench/cases.ts";
import { rotated, setsOf } from "../../bench/engines/rotated.ts";
import { isSound, readOptions, runInPage, writtenLine } from "../../bench/run.ts";
import { runCases } from "../../bench/run_cases.ts";
import { type Answer, type Case, emptyRow, type Progress, type Row, type Runner } from "../../bench/suite.ts";
import { sizeCases } from "../../bench/suites/size.ts";
import { OptionError } from "../../src/base/errors.ts";

/** What a runner's calls were, in order. */
type Log = string[];

interface Made extends Partial<Runner> {
  /** Of its turns, after the two that decide how many steps a turn has. */
  readonly times?: readonly number[];
}

/** An engine that takes 10 ms a step unless asked otherwise, and does nothing. */
function engine(name: string, log: Log = [], { times = [], ...rest }: Made = {}) {
  const left = [...times];
  let turns = 0;
  return {
    engine: name,
    load: async (): Promise<Runner> => ({
      step: () => void log.push(`${name} step`),
      wait: async () => undefined,
      async time(steps) {
        turns++;
        log.push(`${name} x${steps}`);
        return turns <= 2 ? 10 : (left.shift() ?? 10);
      },
      destroy: () => void log.push(`${name} destroyed`),
      ...rest,
    }),
  };
}

function caseOf(contenders: Case["contenders"], rest: Partial<Case> = {}): Case {
  return { suite: "fake", name: "case", tier: "quick", n: 1000, tensors: 2, contenders, ours: "fallline", ...rest };
}

/** The few members that the core and its counting use, as methods of a class, since counting puts its own before them. */
class FakeDevice extends EventTarget {
  readonly queue = new FakeQueue();
  readonly lost: Promise<{ reason: string; message: string }>;
  lose: (message: string) => void = () => undefined;

  constructor() {
    super();
    this.lost = new Promise((resolve) => {
      this.lose = (message) => resolve({ reason: "unknown", message });
    });
  }

  createBuffer() {}
  createBindGroup() {}
  createComputePipeline() {}
  createComputePipelineAsync() {}
  createShaderModule() {}
  createCommandEncoder() {
    return new FakeEncoder();
  }
}

class FakeQueue {
  submit() {}
  writeBuffer() {}
}

class FakeEncoder {
  clearBuffer() {}
  finish() {}
  copyBufferToBuffer() {}
  beginComputePass() {
    return new FakePass();
  }
}

class FakePass {
  setBindGroup() {}
  dispatchWorkgroups() {}
  dispatchWorkgroupsIndirect() {}
  end() {}
}

/** A device that fails when asked to. */
function fakeDevice() {
  const made = new FakeDevice();
  return {
    device: made as unknown as GPUDevice,
    lose: made.lose,
    fail: (message: string) => made.dispatchEvent(Object.assign(new Event("uncapturederror"), { error: { message } })),
  };
}

const answer = (numbers: number[], ...values: number[][]): Answer => ({
  numbers,
  values: values.map((each) => Float32Array.from(each)),
});
const answering = (made: Answer): Made => ({ answer: async () => made });

const of = (rows: readonly Row[], name: string) => rows.find((row) => row.engine === name) as Row;
const errors = (rows: readonly Row[]) => rows.map((row) => [row.engine, row.error]);

describe("rows", () => {
  it("hold medians, quartiles, rates, counts of one step, and ratios", async () => {
    const { device } = fakeDevice();
    const contenders = [
      engine("fallline", [], {
        device,
        note: "a note",
        bytes: 28_000,
        times: [4, 2, 3],
        gpuTime: async () => 1.5,
        step() {
          const encoder = device.createCommandEncoder();
          const pass = encoder.beginComputePass();
          pass.dispatchWorkgroups(1);
          pass.dispatchWorkgroups(1);
          device.queue.writeBuffer({} as GPUBuffer, 0, new Float32Array(4));
          device.queue.submit([]);
        },
        ...answering(answer([1], [3])),
      }),
      engine("tfjs", [], { times: [6, 30, 12] }),
      engine("stream", [], { times: [2.5, 2.5, 2.5], device, bytes: 28_000 }),
    ];
    const made = caseOf(contenders, { flops: 6e6, expected: async () => answer([1], [3]) });
    const rows = await runCases([made], { quick: true, rounds: 3 });
    expect(rows.map((row) => row.engine)).toEqual(["fallline", "tfjs", "stream"]);
    expect(of(rows, "fallline")).toEqual({
      ...{ suite: "fake", case: "case", engine: "fallline", n: 1000, tensors: 2 },
      ...{ ms: 3, quartiles: [2.5, 3.5], spread: 1, gpuMs: 1.5 },
      ...{ paramsPerSecond: 1e6 / 3, gflops: 2, gbPerSecond: 28_000 / 3e6, bytesPerParam: 28 },
      ...{ dispatches: 2, passes: 1, submits: 1, bindGroups: 0, hostBytes: 16 },
      ...{ ratioToStream: 1.2, units: null, ratioTo: { tfjs: 4, stream: 2.5 / 3 } },
      ...{ bytes: null, agrees: true, note: "a note" },
    });
    expect(of(rows, "tfjs")).toMatchObject({ ms: 12, dispatches: null, gbPerSecond: null, ratioTo: {}, agrees: null });
    expect(of(rows, "stream")).toMatchObject({ ms: 2.5, ratioToStream: null, ratioTo: {} });
    const known = ["kernels", "note", "error"];
    for (const row of rows) {
      expect(Object.keys(row).filter((key) => !known.includes(key))).toEqual(Object.keys(emptyRow(made, row.engine)));
    }
  });

  it("hold times in units of another engine's step, where the case names it", async () => {
    const contenders = [engine("fallline", [], { times: [20, 24, 22] }), engine("gradient", [], { times: [2, 3, 2] })];
    const rows = await runCases([caseOf(contenders, { unit: "gradient" })], { quick: true, rounds: 3 });
    expect(rows.map(({ engine: name, units }) => [name, units])).toEqual([
      ["fallline", 11],
      ["gradient", null],
    ]);
  });

  it("hold what each kernel takes, where an engine reports it", async () => {
    const kernels = [{ kernel: "one", ms: 1, share: 1, gflops: null }];
    const rows = await runCases([caseOf([engine("fallline", [], { kernels: async () => kernels })])], { rounds: 1 });
    expect(rows[0]?.kernels).toEqual(kernels);
  });
});

describe("a launch", () => {
  const ofTurn = async (steps: number) => (5 + 2 * steps) / steps;

  it("is told from a step by turns of many and of few steps, and by steps that are one call", async () => {
    const log: Log = [];
    const { device } = fakeDevice();
    let encoded = 0;
    const contenders = [
      engine("fallline", [], { device, time: ofTurn, encode: () => void encoded++ }),
      engine("jaxjs", log, { time: ofTurn, together: { steps: 8, start: () => void log.push("eight") } }),
      engine("plain", [], { time: ofTurn }),
    ];
    const rows = await runCases([caseOf(contenders, { launch: true })], { quick: true, rounds: 3 });
    for (const { launch } of rows) {
      expect(launch!.slopeMs).toBeCloseTo(2, 9);
      expect(launch!.interceptMs).toBeCloseTo(5, 9);
    }
    const [many, few] = of(rows, "fallline").launch!.steps;
    expect(few).toBe(Math.round(many / 4));
    // A step that warms up, then the rounds.
    expect(encoded).toBe(1 + 3 * many);
    expect(log.filter((line) => line === "eight")).toHaveLength(1 + 3 * Math.ceil(many / 8));
    expect(of(rows, "plain").launch!.togetherMs).toBeNull();
  });

  it("is of at least four steps a turn, and of no row whose case does not ask for it", async () => {
    const slow = () => engine("fallline", [], { time: async () => 900 });
    const rows = await runCases([caseOf([slow()], { launch: true }), caseOf([slow()])], { rounds: 1 });
    expect(rows.map(({ launch }) => launch?.steps)).toEqual([[4, 1], undefined]);
  });
});

describe("sets of buffers that take turns", () => {
  it("are more than caches hold, each used in its turn, and destroyed together", async () => {
    expect([setsOf(2 ** 22), setsOf(2 ** 28), setsOf(2 ** 30)]).toEqual([64, 2, 2]);
    const log: Log = [];
    let made = 0;
    const load = () => engine(`set${made++}`, log).load();
    const runner = await rotated(load, 3);
    for (let i = 0; i < 4; i++) await runner.step();
    runner.destroy();
    expect(log.map((line) => line.replace("destroyed", "gone"))).toEqual([
      "set0 step",
      "set1 step",
      "set2 step",
      "set0 step",
      "set2 gone",
      "set1 gone",
      "set0 gone",
    ]);
    expect(runner.note).toBe("3 sets of buffers take turns");
  });

  it("leave nothing behind where one of them does not load", async () => {
    const log: Log = [];
    let made = 0;
    const load = () => (made++ < 1 ? engine("set", log).load() : Promise.reject(new Error("no memory")));
    await expect(rotated(load, 3)).rejects.toThrow("no memory");
    expect(log).toEqual(["set destroyed"]);
  });
});

describe("turns", () => {
  it("are as many steps as fill one, and begin with another engine each round", async () => {
    const log: Log = [];
    await runCases([caseOf(["a", "b", "c"].map((name) => engine(name, log)))], { quick: true, rounds: 3 });
    const turns = log.filter((line) => line.endsWith("x5")).map((line) => line[0]);
    // Whether five steps fill a turn is tried once before.
    expect(turns.join("")).toBe("abc" + "abcbcacab");
    expect(log.slice(-3)).toEqual(["a destroyed", "b destroyed", "c destroyed"]);
  });

  it("are one of one step, the first there is, where a case is measured once", async () => {
    const log: Log = [];
    const { device } = fakeDevice();
    const rows = await runCases([caseOf([engine("fallline", log, { device })], { once: true })], { rounds: 4 });
    expect(log).toEqual(["fallline x1", "fallline destroyed"]);
    expect(rows[0]).toMatchObject({ ms: 10, spread: null, dispatches: null });
  });

  it("say how far the case is, how far the run, and the rows of what is finished", async () => {
    const reported: Progress[] = [];
    const cases = ["one", "two"].map((name) => caseOf([engine("fallline")], { name }));
    await runCases(cases, {
      rounds: 1,
      onProgress: (progress) => reported.push({ ...progress, rows: [...progress.rows] }),
    });
    expect(reported.every(({ done, total, cases: all }) => done <= total && all === 2)).toBe(true);
    const second = reported.find((progress) => progress.case === "two");
    expect(second).toMatchObject({ casesDone: 1, rows: [{ case: "one", engine: "fallline" }] });
  });
});

describe("an engine that fails", () => {
  const broken = (message: string) => async () => {
    throw new Error(message);
  };

  it("to load has a row that says so, and the others are measured", async () => {
    const rows = await runCases([caseOf([{ engine: "tfjs", load: broken("no such module.") }, engine("fallline")])], {
      rounds: 1,
    });
    expect(errors(rows)).toEqual([
      ["tfjs", "tfjs does not load: no such module"],
      ["fallline", undefined],
    ]);
    expect(of(rows, "tfjs").ms).toBeNull();
    expect(of(rows, "fallline")).toMatchObject({ ms: 10, ratioTo: {} });
  });

  it("midway has no time, and is destroyed", async () => {
    const log: Log = [];
    let turns = 0;
    const failing = engine("tfjs", log, {
      async time() {
        if (++turns === 3) throw new Error("out of memory");
        return 10;
      },
    });
    const rows = await runCases([caseOf([failing, engine("fallline", log)])], { rounds: 4 });
    expect(of(rows, "tfjs")).toMatchObject({ error: "out of memory", ms: null, quartiles: null });
    expect(of(rows, "fallline").ms).toBe(10);
    expect(turns).toBe(3);
    expect(log).toContain("tfjs destroyed");
  });

  const expected = answer([2, 1], [1, 1], [5]);
  it.each([
    ["with another number", answer([2, 1.01], [1, 1], [5]), "a loss of 1.01000 instead of 1.00000 in step 2"],
    ["with NaN for a number", answer([Number.NaN, 1], [1, 1], [5]), "a loss of NaN instead of 2.00000 in step 1"],
    ["with a number too few", answer([2], [1, 1], [5]), "a loss of NaN instead of 1.00000 in step 2"],
    ["with other values", answer([2, 1], [1, 1.1], [5]), "its values are off by 7.07 % of how far they moved"],
    ["with NaN among values", answer([2, 1], [1, Number.NaN], [5]), "values of array 1 are off by Infinity %"],
    ["with a tensor too few", answer([2, 1], [1, 1]), "values of array 2 are off by Infinity %"],
    ["with a tensor far off", answer([2, 1], [1, 1], [5.1]), "values of array 2 are off by Infinity %"],
    ["with one value left out", answer([2, 1], [1, 0], [5]), "values of array 1 are off by 70.7 %"],
  ])("to agree, %s, is not timed", async (_, given, says) => {
    const made = caseOf([engine("tfjs", [], answering(given)), engine("fallline", [], answering(expected))], {
      expected: async () => expected,
      // The second tensor did not move.
      start: () => [new Float32Array(2), new Float32Array([5])],
    });
    const rows = await runCases([made], { rounds: 1 });
    expect(of(rows, "tfjs")).toMatchObject({ agrees: false, ms: null });
    expect(of(rows, "tfjs").error).toContain(`its answer differs from the reference: ${says}`);
    expect(of(rows, "fallline")).toMatchObject({ agrees: true, ms: 10 });
  });

  it("to agree in one value of many is not timed, where each is looked at", async () => {
    const [all, most] = [new Float32Array(10_000).fill(1), new Float32Array(10_000).fill(1)];
    most[9_999] = 0;
    const of = (name: string, values: Float32Array) => engine(name, [], answering({ numbers: [], values: [values] }));
    const made = (tolerance: Case["tolerance"] & object) =>
      caseOf([of("tfjs", most), of("fallline", all)], {
        expected: async () => ({ numbers: [], values: [all] }),
        tolerance,
      });
    const loose = { number: 0, values: 0.02 };
    const rows = await runCases([made(loose), made({ ...loose, each: 0.05 })], { rounds: 1 });
    expect(rows.map(({ agrees }) => agrees)).toEqual([true, true, false, true]);
    expect(rows[2]!.error).toContain("value 9999 of array 1 is off by 100 % of how far they moved");
  });

  it("to clean up has a row that says so, and the others are cleaned up", async () => {
    const log: Log = [];
    const untidy = engine("tfjs", log, {
      destroy() {
        throw new Error("it is gone already");
      },
    });
    const rows = await runCases([caseOf([untidy, engine("fallline", log)]), caseOf([engine("fallline", log)])], {
      rounds: 1,
    });
    expect(errors(rows)).toEqual([
      ["tfjs", "cleaning up failed: it is gone already"],
      ["fallline", undefined],
      ["fallline", undefined],
    ]);
    expect(log.filter((line) => line === "fallline destroyed")).toHaveLength(2);
  });

  it("may be the reference: then no engine with an answer is timed, since nothing can be checked", async () => {
    const contenders = [engine("fallline", [], answering(expected)), engine("stream")];
    const rows = await runCases([caseOf(contenders, { expected: broken("no memory") })], { rounds: 1 });
    expect(errors(rows)).toEqual([
      ["fallline", "the reference failed: no memory"],
      ["stream", undefined],
    ]);
  });

  it("is ours or the reference, or else the run is sound", () => {
    const row = emptyRow(caseOf([]), "tfjs");
    expect(isSound({ ...row, error: "lost" })).toBe(true);
    for (const name of ["fallline", "reference"]) {
      expect(isSound({ ...row, engine: name })).toBe(true);
      expect(isSound({ ...row, engine: name, error: "lost" })).toBe(false);
      expect(isSound({ ...row, engine: name, agrees: false })).toBe(false);
    }
  });
});

describe("a device", () => {
  it("that is lost marks all who are on it; the others go on, and so does the next case", async () => {
    const { device, lose } = fakeDevice();
    let turns = 0;
    const culprit = engine("fallline", [], {
      device,
      async time() {
        if (++turns === 3) lose("the driver was reset.");
        return 10;
      },
    });
    const contenders = [culprit, engine("naive", [], { device }), engine("tfjs", [], fakeDevice()), engine("plain")];
    const next = caseOf([engine("fallline", [], fakeDevice())], { name: "next" });
    const rows = await runCases([caseOf(contenders), next], { rounds: 2 });
    const lost = "its device was lost: the driver was reset";
    expect(errors(rows)).toEqual([
      ["fallline", lost],
      ["naive", lost],
      ["tfjs", undefined],
      ["plain", undefined],
      ["fallline", undefined],
    ]);
    expect(rows.map(({ ms }) => ms)).toEqual([null, null, 10, 10, 10]);
  });

  it("blames an uncaught error on the engine whose turn it is", async () => {
    const shared = fakeDevice();
    let turns = 0;
    const culprit = engine("naive", [], {
      device: shared.device,
      async time() {
        // Devices report it a task later.
        if (++turns === 2) setTimeout(() => shared.fail("a binding is too large"), 0);
        return 10;
      },
    });
    const contenders = [engine("fallline", [], { device: shared.device }), culprit];
    const rows = await runCases([caseOf(contenders)], { rounds: 3 });
    expect(errors(rows)).toEqual([
      ["fallline", undefined],
      ["naive", "an uncaught GPU error: a binding is too large"],
    ]);
  });

  it("is left alone when a case has ended", async () => {
    const { device, fail, lose } = fakeDevice();
    const rows = await runCases([caseOf([engine("fallline", [], { device })])], { rounds: 1 });
    fail("late");
    lose("late");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(errors(rows)).toEqual([["fallline", undefined]]);
    expect(Object.hasOwn(device.queue, "submit")).toBe(false);
  });
});

describe("a run that is stopped", () => {
  it("throws the signal's reason, keeps what was reported, and leaves nothing behind", async () => {
    const log: Log = [];
    const stopping = new AbortController();
    const reason = new Error("stopped by hand");
    let rows: readonly Row[] = [];
    const second = caseOf([engine("fallline", log), engine("tfjs", log)], { name: "second" });
    const run = runCases([caseOf([engine("plain")]), second], {
      rounds: 3,
      signal: stopping.signal,
      onProgress(progress) {
        rows = progress.rows;
        if (progress.doing === "round 2 of 3: tfjs") stopping.abort(reason);
      },
    });
    await expect(run).rejects.toBe(reason);
    expect(rows).toHaveLength(1);
    expect(log.slice(-2)).toEqual(["fallline destroyed", "tfjs destroyed"]);
  });
});

describe("a page that is driven", () => {
  /** A page that reports one row and then is silent. */
  function silentPage(then: () => void) {
    let report: (progress: object, rows: readonly Row[]) => void = () => undefined;
    const answers = [
      async () => ({ format: "fallline-bench/1", browser: "as it calls itself" }),
      () => {
        report({ casesDone: 1 }, [emptyRow(caseOf([]), "fallline")]);
        then();
        return new Promise(() => undefined);
      },
    ];
    const browser = Object.assign(new EventEmitter(), { version: async () => "Chrome/1" });
    const page = Object.assign(new EventEmitter(), {
      browser: () => browser,
      exposeFunction: async (_: string, called: typeof report) => {
        report = called;
      },
      evaluate: () => answers.shift()!(),
    });
    return { browser, page: page as unknown as Page };
  }

  it("leaves what it reported when it is interrupted", async () => {
    const stopping = new AbortController();
    const { page } = silentPage(() => stopping.abort(new Error("it was interrupted")));
    const result = await runInPage(page, { browser: "chrome" }, () => undefined, stopping.signal);
    expect(result).toMatchObject({ browser: "Chrome/1", incomplete: "it was interrupted after 1 case" });
    expect(result.rows).toHaveLength(1);
  });

  it("leaves what it reported when the browser is closed", async () => {
    const { page, browser } = silentPage(() => browser.emit("disconnected"));
    const result = await runInPage(page, { browser: "chrome" }, () => undefined, new AbortController().signal);
    expect(result.incomplete).toBe("the browser was closed after 1 case");
  });
});

describe("the choice of cases", () => {
  const titles = (selection: Parameters<typeof chosen>[0]) => {
    const { page, node, size } = chosen(selection);
    return [...page, ...node, ...size].map(titleOf);
  };
  const all = [...pageCases, ...nodeCases, ...sizeCases];
  const ofTier = (...tiers: string[]) => all.filter(({ tier }) => tiers.includes(tier)).map(titleOf);

  it("leaves out engines that are not compared", () => {
    const engines = (cases: typeof pageCases) =>
      new Set(cases.flatMap((each) => each.contenders.map((one) => one.engine)));
    const before = engines(pageCases);
    expect(before).toContain("tfjs");
    const left = engines(withoutEngines(pageCases, ["tfjs", "plain"]));
    expect([...before].filter((engine) => !left.has(engine)).sort()).toEqual(["plain", "tfjs"]);
  });

  it("goes by tier", () => {
    expect(titles({ quick: true })).toEqual(ofTier("quick"));
    expect(titles({})).toEqual(ofTier("quick", "full"));
    expect(titles({ every: true })).toEqual(all.map(titleOf));
    expect(new Set(all.map(titleOf)).size).toBe(all.length);
  });

  it("goes by what is part of a suite and name, and finds there what no tier of the run holds", () => {
    for (const { suite } of all) {
      expect(titles({ filter: `${suite}: `, every: true })).toEqual(
        all.filter((each) => each.suite === suite).map(titleOf),
      );
    }
    expect(titles({ filter: "gradient: train 784-1024-256-10 b128", quick: true })).toEqual([
      "gradient: train 784-1024-256-10 b128",
    ]);
    expect(titles({ filter: "gradient: train", quick: true })).toEqual(["gradient: train 64-32-10 b16"]);
    // The next tier alone, not the hours of every case.
    expect(titles({ filter: "adamw 1x16.8M", quick: true })).toEqual(titles({ filter: "adamw 1x16.8M" }));
    expect(titles({ filter: "lion 1x16.8M" })).toEqual(["update: lion 1x16.8M", "update: lion 1x16.8M clip"]);
  });

  it("refuses a filter that fits no case", () => {
    expect(() => checkFilter("nosuch")).toThrow(
      /^filter is "nosuch"; it must be part of a case's suite and name, such as/,
    );
    for (const filter of ["", "size", "cpu: train", "64-32-10"]) expect(() => checkFilter(filter)).not.toThrow();
  });
});

describe("the command line", () => {
  it.each([
    [{ browser: "safari" }, '--browser is "safari"; it must be one of chrome, firefox'],
    [{ rounds: "0" }, "--rounds is 0; it must be a whole number >= 1"],
    [{ rounds: "2.5" }, "--rounds is 2.5; it must be a whole number >= 1"],
    [{ rounds: "many" }, '--rounds is "many"; it must be a whole number >= 1'],
    [{ json: "/nosuch/x.json" }, '--json is "/nosuch/x.json"; it must be a file in a folder that exists'],
    [{ json: import.meta.dirname }, "it must be a file, not a folder"],
    [{ node: true }, "--browser is given; it must be left out with --node, which starts no browser"],
    [{ browser: undefined, headful: true, node: true }, "--headful is given; it must be left out with --node"],
    [{ filter: "nosuch" }, 'filter is "nosuch"; it must be part of'],
  ])("refuses %j in one sentence, before anything is built", (given, says) => {
    const read = () => readOptions({ browser: "chrome", ...given });
    expect(read).toThrow(OptionError);
    expect(read).toThrow(says);
  });

  it("is complete without a word", () => {
    expect(readOptions({})).toEqual({
      ...{ quick: false, every: false, headful: false, filter: "", json: undefined, docs: false, browser: "chrome" },
      ...{ node: false, torch: undefined },
    });
  });

  it.each([{ quick: true }, { filter: "norm" }, { rounds: "3" }])("keeps %o out of the documentation", (given) => {
    expect(() => readOptions({ browser: "chrome", docs: true, ...given })).toThrow(
      "--docs is given; it needs a full run, without --quick, --filter and --rounds",
    );
  });

  it.each([
    [{}, {}, "a full run is written to", ["latest", "full"], false],
    [{ quick: true }, {}, "a run with --quick is written to", ["latest"], true],
    [{ filter: "norm" }, {}, 'a run with --filter "norm" is written to', ["latest"], true],
    [{ docs: true }, { incomplete: "stopped" }, "an incomplete run is written to", ["latest"], true],
  ])("says of %j, %j what is written, and keeps the last full run", (given, result, says, names, stays) => {
    const line = writtenLine(readOptions({ browser: "chrome", ...given }), result, true);
    const files = names.flatMap((name) => ["json", "md", "svg"].map((kind) => `bench/results/${name}.${kind}`));
    const rest = stays ? "; bench/results/full.* are still the last full run's" : "";
    expect(line.replaceAll("\\", "/")).toBe(`${says} ${files.join(", ")}${rest}`);
  });

  it("says where the result goes besides", () => {
    const line = writtenLine(readOptions({ browser: "chrome", docs: true, json: "x.json" }), {}, true);
    expect(line.replaceAll("\\", "/")).toMatch(
      /full\.svg, x\.json, docs\/benchmark_results\.md, docs\/benchmark\.svg$/,
    );
  });

  it("says that PUPPETEER_EXECUTABLE_PATH names no browser that starts, and what runs instead", () => {
    expect(passedOver("chrome", "/nosuch", "/usr/bin/chromium")).toBe(
      'PUPPETEER_EXECUTABLE_PATH is "/nosuch"; it must be a Chrome or Chromium that starts; /usr/bin/chromium runs instead',
    );
    for (const named of [undefined, "", "/usr/bin/chromium"]) {
      expect(passedOver("chrome", named, "/usr/bin/chromium")).toBeUndefined();
    }
  });
});
