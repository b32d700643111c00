// The command line's file of kernel choices: kept, shared, and replaced where it is broken.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { choiceFile } from "../../src/app/cli/choice_file.ts";
import { tuneCommand } from "../../src/app/cli/tune.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fallline-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
});

it("keeps texts under keys beside those of others", () => {
  const path = join(folder, "deep", "choices.json");
  const [one, other] = [choiceFile(path), choiceFile(path)];
  expect(one.getItem("a")).toBeNull();
  one.setItem("a", "1");
  other.setItem("b", "2");
  expect([one.getItem("a"), one.getItem("b")]).toEqual(["1", "2"]);
  one.removeItem("a");
  expect(other.getItem("a")).toBeNull();
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ b: "2" });
});

it.each(["{", "null", ""])("treats %j as empty, says so if it is not JSON, and replaces it", (text) => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const path = join(folder, "choices.json");
  writeFileSync(path, text);
  const file = choiceFile(path);
  expect(file.getItem("a")).toBeNull();
  expect(said).toHaveBeenCalledOnce();
  expect(said.mock.calls[0]![0]).toContain(`fallline: the kernel choices in ${path} are not JSON`);
  file.setItem("a", "1");
  expect(file.getItem("a")).toBe("1");
});

it("that cannot be written is an error that names it", () => {
  expect(() => choiceFile(join("/proc", "fallline", "choices.json")).setItem("a", "1")).toThrow(
    "/proc/fallline/choices.json could not be written",
  );
});

it.each([
  [["--pin", "apart-8"], 'pin is "apart-8"; with --clear it must be left out'],
  [["--again"], "again is true; with --clear it must be left out"],
  [["--json"], "json is true; with --clear it must be left out"],
])("tune --clear refuses %j", async (more, message) => {
  await expect(tuneCommand().parseAsync(["--clear", ...more], { from: "user" })).rejects.toThrow(message);
});
