// Types, lint and format are tests too, so that the closing line of `npm test` counts them.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

it.each([
  ["types", "typescript/bin/tsc", ["--noEmit"]],
  ["lint and format", "@biomejs/biome/bin/biome", ["check", "."]],
])("npm run check: %s", (_, tool, args) => {
  const path = createRequire(join(root, "package.json")).resolve(tool);
  let output = "";
  try {
    execFileSync(process.execPath, [path, ...args], { cwd: root, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    output = stdout + stderr;
  }
  expect(output).toBe("");
});
