// The set-up: silent where there is nothing to do, and in a bare tree of its own (with a stand-in for npm and for the
// build) what it does, what it says, and what it leaves to the user.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

function setup(folder: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const script = join(folder, "scripts/setup.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
    cwd: tmpdir(),
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

describe("in this checkout", () => {
  it("there is nothing left to do, and it says nothing", () => {
    expect(setup(root, ["--browser"])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("a script in TypeScript says that it is loaded before it is", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/run.mjs"), "nowhere.ts"], {
      encoding: "utf8",
      env: { ...process.env, npm_lifecycle_event: "bench" },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bench: loading …\n[\s\S]*Failed to load url \/nowhere\.ts/);
  });
});

describe("in a bare tree", () => {
  let folder: string;
  let bin: string;
  const script = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const env = () => ({ PATH: `${bin}:${process.env.PATH}` });
  const log = () => readFileSync(join(folder, "log"), "utf8").trim().split("\n");

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fallline-setup-"));
    bin = join(folder, "bin");
    for (const name of ["bin", "src", "shaders", "bench", "scripts"]) mkdirSync(join(folder, name));
    for (const name of ["setup.mjs", "webgpu.mjs"]) cpSync(join(root, "scripts", name), join(folder, "scripts", name));
    for (const name of ["index.html", "vite.config.ts", "tsconfig.json", "package.json", "package-lock.json", "log"]) {
      writeFileSync(join(folder, name), "");
    }
    script("npm", `echo "npm $@" >> "${folder}/log"; mkdir -p node_modules/vite`);
    const outputs = ["lib/src/index.js", "cli.js", "page/index.html"];
    writeFileSync(
      join(folder, "scripts/build.mjs"),
      `import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
appendFileSync("log", "build\\n");
for (const path of ["dist/lib/src", "dist/page"]) mkdirSync(path, { recursive: true });
for (const path of ${JSON.stringify(outputs)}) writeFileSync("dist/" + path, "");
`,
    );
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("installs the locked dependencies with the development ones, builds, says so on stderr, and is silent then", () => {
    const first = setup(folder, [], env());
    expect(first.status).toBe(0);
    expect(first.stdout).toBe("");
    expect(first.stderr).toContain("set-up: installing the locked dependencies (npm ci)");
    expect(first.stderr).toContain("set-up: building (npm run build)");
    expect(log()).toEqual([expect.stringMatching(/^npm ci --include=dev/), "build"]);
    expect(setup(folder, [], env())).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("installs again when the lock file changed or the packages are gone, and builds when a source or a result did", () => {
    setup(folder, [], env());
    writeFileSync(join(folder, "package-lock.json"), "{}");
    setup(folder, [], env());
    rmSync(join(folder, "node_modules/vite"), { recursive: true });
    setup(folder, [], env());
    expect(log().filter((line) => line.startsWith("npm ci"))).toHaveLength(3);
    const builds = () => log().filter((line) => line === "build").length;
    const before = builds();
    rmSync(join(folder, "dist/page/index.html"));
    setup(folder, [], env());
    expect(builds()).toBe(before + 1);
    writeFileSync(join(folder, "src/new.ts"), "");
    setup(folder, [], env());
    expect(builds()).toBe(before + 2);
  });

  it("survives a stamp that is not JSON", () => {
    setup(folder, [], env());
    writeFileSync(join(folder, "node_modules/.fallline/setup.json"), "{bad");
    const { status, stderr } = setup(folder, [], env());
    expect(status).toBe(0);
    expect(stderr).not.toContain("SyntaxError");
  });

  it("stops where npm fails, with the one command to run", () => {
    script("npm", "exit 1");
    const { status, stderr } = setup(folder, [], env());
    expect(status).toBe(1);
    expect(stderr).toMatch(/npm ci failed; .* run: npm ci/);
  });

  it("passes over a Chrome that does not start", () => {
    script("google-chrome", "exit 1");
    setup(folder, ["--browser"], env());
    const stamp = JSON.parse(readFileSync(join(folder, "node_modules/.fallline/setup.json"), "utf8"));
    expect(stamp.chrome).toMatch(/./);
    expect(stamp.chrome).not.toContain(folder);
  });
});
