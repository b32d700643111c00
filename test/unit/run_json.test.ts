// What is given where a run is wanted and is none: the error says what it is, and names a run beside it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readRunFile } from "../../src/app/cli/run_file.ts";
import { OptionError } from "../../src/base/errors.ts";
import { ownFolder } from "../folder.ts";
import { fallline } from "../run_cli.ts";

const folder = ownFolder("run-json");
const swept = join(folder, "swept");
for (const name of ["out", "swept", "empty"]) mkdirSync(join(folder, name));
for (const name of ["sweep", "lr", "dataset"]) {
  writeFileSync(join(folder, "out", `${name}.json`), JSON.stringify({ format: `fallline-${name}/1`, config: {} }));
}
for (const name of ["out/run.json", "out/sweep.best.json", "swept/search.best.json"])
  writeFileSync(join(folder, name), "{}");

it.each([
  ["out/sweep.json", "is in the format fallline-sweep/1", "out/sweep.best.json"],
  ["out/lr.json", "is in the format fallline-lr/1", "out/run.json"],
  ["out/loss.svg", "is a chart", "out/run.json"],
  ["out/model.safetensors", "is a file of parameters", "out/run.json"],
  ["swept/run.json", "is not there", "swept/search.best.json"],
])("%s, beside a run", async (name, what, run) => {
  await expect(readRunFile(join(folder, name))).rejects.toThrow(
    new OptionError(
      `${join(folder, name)} ${what}; it must be a run config or a run.json, such as ${join(folder, run)}`,
    ),
  );
});

it.each([
  ["out/dataset.json", "is in the format fallline-dataset/1"],
  ["out/table.csv", "is a table"],
])("%s, which has rows to train on", async (name, what) => {
  const path = join(folder, name);
  await expect(readRunFile(path)).rejects.toThrow(
    new OptionError(`${path} ${what}; it must be a run config or a run.json; to train on it, give --data ${path}`),
  );
});

it("a folder without a run", async () => {
  const { code, stderr } = await fallline(["train", join(folder, "empty")]);
  const path = join(folder, "empty", "run.json");
  expect([code, stderr]).toEqual([2, `fallline: ${path} is not there; it must be a run config or a run.json\n`]);
  const schedule = await fallline(["schedule", swept]);
  expect(schedule.stderr).toContain(
    `swept/run.json is not there; it must be a schedule, a run config or a run.json, such as ${swept}`,
  );
});
