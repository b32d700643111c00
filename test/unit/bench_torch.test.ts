// Rows of bench/torch_peer.py in a result: its cases are the benchmark's, ratios stand on a GPU alone, other files are refused.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { emptyRow, type Result, type Row } from "../../bench/suite.ts";
import { updateCases } from "../../bench/suites/update.ts";
import { readTorch, withTorch } from "../../bench/torch_rows.ts";
import { DataError } from "../../src/base/errors.ts";
import { ownFolder } from "../folder.ts";

const folder = ownFolder("test");
const file = join(folder, "torch.json");
const row = { suite: "update", case: "adamw 1x1M", engine: "torch fused", ms: 0.02, quartiles: [0.019, 0.022] };
const printed = { format: "fallline-bench-torch/1", device: "NVIDIA H200", torch: "2.9.0", rows: [row] };

const read = (content: unknown) => {
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return readTorch(file);
};

const ours: Row = {
  ...emptyRow({ suite: "update", name: "adamw 1x1M", n: 2 ** 20, tensors: 1 }, "fallline"),
  ms: 0.04,
};
const result = (software: boolean): Result => ({
  ...{ format: "fallline-bench/1", browser: "Node", date: "2026-11-29T12:00:00.000Z", quick: true, timestamps: null },
  adapter: { vendor: "nvidia", architecture: "hopper", description: "", software },
  rows: [ours, { ...ours, engine: "naive" }],
});

it("stands beside ours, with a ratio where both ran on a GPU", () => {
  const [first, torch, naive] = withTorch(result(false), read(printed)).rows;
  expect(first).toMatchObject({ engine: "fallline", ratioTo: { "torch fused": 0.5 } });
  expect(torch).toMatchObject({ engine: "torch fused", n: 2 ** 20, ms: 0.02, quartiles: [0.019, 0.022], agrees: null });
  expect(torch!.note).toBe("PyTorch 2.9.0 on NVIDIA H200, measured by bench/torch_peer.py in a separate run");
  expect(naive!.engine).toBe("naive");
  for (const found of [
    withTorch(result(true), read(printed)),
    withTorch(result(false), read({ ...printed, device: "cpu" })),
  ]) {
    expect(found.rows.map(({ engine, ratioTo }) => [engine, ratioTo])).toEqual([
      ["fallline", {}],
      ["torch fused", {}],
      ["naive", {}],
    ]);
  }
});

it.each([
  ["{", "it cannot be read as JSON"],
  [{ ...printed, format: "other" }, "its format is not fallline-bench-torch/1"],
  [{ ...printed, rows: 3 }, "it names no device, version or rows"],
  [{ ...printed, rows: [row, { ...row, ms: -1 }] }, "its row 2 has no case, engine or time"],
])("refuses %j in one sentence", (content, says) => {
  expect(() => read(content)).toThrow(DataError);
  expect(() => read(content)).toThrow(says);
  expect(() => read(content)).toThrow("it must be what bench/torch_peer.py prints");
});

it("has the shapes of the benchmark's cases", () => {
  const text = readFileSync("bench/torch_peer.py", "utf8");
  const names = [...text.matchAll(/^ {4}"((?:adamw|muon) [^"]+)": (.*),$/gm)];
  expect(names.length).toBeGreaterThan(8);
  for (const [, name, shapes] of names) {
    const of = updateCases.find((each) => each.suite === "update" && each.name === name);
    expect(of, name).toBeDefined();
    if (shapes === "gpt2_small()") continue;
    const [, count = "1", sizes = ""] = /^(?:(\d+) \* )?\[\[(.*)\]\]$/.exec(shapes!) ?? [];
    const power = (factor: string) => factor.split("**").reduceRight((exponent, base) => Number(base) ** exponent, 1);
    const sum = (term: string) => term.split(" + ").reduce((total, part) => total + power(part), 0);
    expect(
      sizes.split(", ").reduce((product, size) => product * sum(size), Number(count)),
      name,
    ).toBe(of!.n);
    expect(Number(count), name).toBe(of!.tensors);
  }
});
