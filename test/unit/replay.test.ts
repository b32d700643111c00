// The golden trajectories of PyTorch and Optax on the CPU reference, and files that are not replays.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createCpuOptimizer } from "../../src/engines/cpu/optimizer.ts";
import { readReplay, replayCase } from "../../src/lab/replay.ts";
import { golden, goldenText } from "../golden.ts";
import { goldenCases } from "../replay_cases.ts";

const file = readReplay(goldenText("replay.json"));
const create: Parameters<typeof replayCase>[2] = async (tensors, config) => createCpuOptimizer(tensors, config);

describe("the golden cases on the CPU reference", () => {
  it.each(goldenCases())("$replay.id", async ({ file, replay }) => {
    const result = await replayCase(file, replay, create);
    expect(result).toMatchObject({ ok: true });
    expect(result.ratio).toBeLessThanOrEqual(3);
  });

  it("fails a case that is off, and one whose rule is unknown, with its name", async () => {
    const replay = file.cases.find(({ id }) => id === "sgd")!;
    const off = await replayCase(file, { ...replay, optimizer: { rule: "sgd", lr: 0.0501 } }, create);
    expect(off).toMatchObject({ ok: false });
    expect(off.maxAbs).toBeGreaterThan(1e-4);
    const overflow = await replayCase(file, { ...replay, optimizer: { rule: "sgd", lr: 3e38 } }, create);
    expect(overflow).toMatchObject({ ok: false, error: "the parameters are not finite after step 1" });
    const unknown = await replayCase(file, { ...replay, optimizer: { rule: "nosuch" } }, create);
    expect(unknown).toMatchObject({ ok: false, maxAbs: null, error: expect.stringContaining('"nosuch"') });
  });
});

describe("docs/replay.md", () => {
  it("has an example that passes", async () => {
    const text = readFileSync(new URL("../../docs/replay.md", import.meta.url), "utf8");
    const example = readReplay(/```json\n([\s\S]*?)```/.exec(text)![1]!);
    const result = await replayCase(example, example.cases[0]!, create);
    expect(result).toMatchObject({ id: "sgd", ok: true, ratio: null });
  });
});

describe("malformed files", () => {
  const good = golden<Record<string, never>>("replay.json");
  const first = (good.cases as unknown as object[])[0]!;
  it.each<[string, unknown, RegExp]>([
    ["another format", { ...good, format: "other/1" }, /^format is "other\/1"; it must be "fallline-replay\/1"/],
    ["no format", [], /^format is missing/],
    ["no tensors", { ...good, tensors: undefined }, /^tensors is missing; it must be an object/],
    ["empty tensors", { ...good, tensors: {} }, /^tensors is empty/],
    ["a bad shape", { ...good, tensors: { a: { shape: [0] } } }, /^tensors\["a"\]\.shape is \[0\]/],
    ["no initial values", { ...good, initial: {} }, /^initial\["layer1\.weight"\] must be an array of 35 numbers/],
    ["a gradient too few", { ...good, gradients: [{}] }, /^gradients\[0\]\["layer1\.weight"\]/],
    ["no cases", { ...good, cases: 3 }, /^cases is 3; it must be an array/],
    ["a case without id", { ...good, cases: [{ ...first, id: 1 }] }, /^cases\[0\]\.id is 1/],
    ["no tolerance", { ...good, cases: [{ ...first, tolerance: undefined }] }, /^cases\["sgd"\]\.tolerance is missing/],
    ["a tensor that is null", { ...good, tensors: { a: null } }, /^tensors\["a"\] is null; it must be an object/],
    ["nothing expected", { ...good, cases: [{ ...first, expected: [] }] }, /^cases\["sgd"\]\.expected is \[\]/],
    ["no case at all", { ...good, cases: [] }, /^cases is \[\]/],
    [
      "a bad reference",
      { ...good, cases: [{ ...first, float32MaxError: "x" }] },
      /^cases\["sgd"\]\.float32MaxError is "x"/,
    ],
    [
      "a step beyond the gradients",
      { ...good, cases: [{ ...first, expected: [{ step: 26, params: {} }] }] },
      /step is 26; .* \[1, 25\]/,
    ],
  ])("%s", (_, value, message) => {
    expect(() => readReplay(JSON.stringify(value))).toThrow(message);
  });
  it("no JSON", () => {
    expect(() => readReplay("{")).toThrow(/^not JSON: /);
  });
});
