// What every command answers to a command line that it does not understand: one sentence, and status 2.
import { describe, expect, it } from "vitest";
import { fallline as program } from "../../src/app/cli/program.ts";
import { spelt } from "../../src/app/cli/usage.ts";
import { fallline } from "../run_cli.ts";

const commands = program().commands.flatMap((command) => [
  [command.name()],
  ...command.commands.map((inner) => [command.name(), inner.name()]),
]);

/** What a command cannot go without. */
const needed: Readonly<Record<string, readonly string[]>> = {
  predict: ["out", "rows.csv"],
  diff: ["a", "b"],
  schedule: ["0.1"],
  replay: ["file"],
  gradients: ["file"],
  curvature: ["file"],
};

describe("status 2", () => {
  it.each(commands.map((words) => [words.join(" "), words] as const))("of fallline %s", async (_, words) => {
    const wrong = [
      [...words, "--no-such-option"],
      [...words, "--jsom"],
      [...words, ...(needed[words[0]!] ?? []), "one", "argument", "too", "many", "--out"],
    ];
    if (needed[words[0]!]) wrong.push(words);
    for (const args of wrong) {
      const { code, stdout, stderr } = await fallline(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
      expect(stderr).toMatch(/^fallline: [^\n]+\n$/);
    }
    expect((await fallline([...words, "--jsom"])).stderr).toContain("unknown option '--jsom'");
    expect((await fallline([...words, "--help"])).code).toBe(0);
  });

  it.each<[readonly string[], string]>([
    [["trian"], "unknown command 'trian' (did you mean train?)"],
    [
      ["train", "--epochs", "3"],
      "unknown option '--epochs' (did you mean --steps? An epoch is the number of training rows divided by --batch)",
    ],
    [["train", "--lrr", "1"], "unknown option '--lrr' (did you mean --lr?)"],
    [
      ["train", "--weight-decay", "0.1"],
      "set weightDecay in a run config, such as fallline train --print-config writes",
    ],
    [["sweep", "--momentum", "0.9"], "or try several values with --vary momentum=…"],
    [["sweep", "--backend", "cpu", "--vary", "wieghtDecay=0.1..1"], "(did you mean weightDecay?)"],
    [["train", "--rule", "adamv"], "(did you mean adamw?)"],
    [["train", "--optimizer", "momentum"], "(did you mean sgd with momentum?)"],
    [["train", "--learning-rate", "fast"], 'lr is "fast"; it must be'],
    [["train", "--Learning_Rate=fast"], 'lr is "fast"; it must be'],
    [["train", "--device", "cuda"], 'backend is "cuda"; it must be one of webgpu, cpu'],
    [["train", "--backend", "cuda"], 'backend is "cuda"; it must be one of webgpu, cpu'],
    [["train", "nowhere.json"], "nowhere.json is not readable"],
    [["train", "--backend", "cpu", "--data", "nowhere.csv"], "nowhere.csv is not readable"],
    [["find-lr", "--backend", "cpu", "--data", "nowhere.csv"], "nowhere.csv is not readable"],
    [["predict", "nowhere", "nowhere.csv"], "nowhere has no run.json"],
    [["diff", "nowhere", "nowhere"], "nowhere is not readable"],
    [["schedule", "nowhere.json"], "nowhere.json is not readable"],
    [["search", "--rules", "adamv"], "(did you mean adamw?)"],
    [["search", "--schedules", "cosin"], "(did you mean cosine?)"],
    [["lab", "speed-limt"], "(did you mean speed-limit?)"],
    [["schedule", '{"type":"cosin"}'], "(did you mean cosine?)"],
  ])("and what may be meant, of %j", async (args, message) => {
    const { code, stdout, stderr } = await fallline(args);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^fallline: [^\n]+\n$/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("without a command, with what there is", async () => {
    const { code, stdout, stderr } = await fallline([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: fallline");
  });
});

describe("options as other programs spell them", () => {
  const read = (...args: string[]) => spelt(args, program());

  it("are those of the command", () => {
    expect(read("train", "--learning-rate", "0.1", "--optimizer=AdamW", "--batch_size=8", "--OUTPUT", "x")).toEqual([
      "train",
      "--lr",
      "0.1",
      "--rule=AdamW",
      "--batch=8",
      "--out",
      "x",
    ]);
    expect(read("lab", "speed-limit", "--device", "cpu")).toEqual(["lab", "speed-limit", "--backend", "cpu"]);
  });

  it("stay where the command has them, behind --, and where nothing is meant", () => {
    const args = ["train", "--rule", "sgd", "--epochs", "2", "--zebra", "--", "--learning-rate"];
    expect(read(...args)).toEqual(args);
    expect(read("sweep", "--rate", "--no-halving")).toEqual(["sweep", "--rate", "--no-halving"]);
  });
});
