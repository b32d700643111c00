// The documents' examples, as they stand there: the README's in Node against the built library, and the rule that
// CONTRIBUTING.md adds, on both engines.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { format } from "node:util";
import { constants, Script } from "node:vm";
import { describe, expect, it } from "vitest";
import { findSwiftShader, mayHaveHardware } from "../../scripts/webgpu.mjs";
import { signsSnippet } from "../../src/engines/stages/snippets.ts";
import { verifyRule } from "../../src/lab/verify.ts";
import { defineRule } from "../../src/rules/custom.ts";
import { rules } from "../../src/rules/index.ts";
import { type Rule, ruleFrom } from "../../src/rules/rule.ts";
import { readRunConfig } from "../../src/train/run_config.ts";
import { device } from "./setup.ts";

const root = resolve(import.meta.dirname, "../..");
const fileUrl = (path: string) => pathToFileURL(join(root, path)).href;

function blocks(file: string, language: string): readonly string[] {
  const found = readFileSync(join(root, file), "utf8").matchAll(
    new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"),
  );
  return [...found].map(([, text]) => text!);
}

function block(file: string, language: string, index = 0): string {
  const found = blocks(file, language)[index];
  if (!found) throw new Error(`${file} has no ${language} block`);
  return found;
}

/** The built file that the package gives for an import of it. */
function entryOf(name: string): string {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return exports[name.replace("fallline", ".")].default;
}

/** Writes a script as a module, with the built library and npm `webgpu` in place of the packages, and passes on where it is. */
async function written<T>(script: string, work: (path: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "fallline-docs-"));
  try {
    const path = join(folder, "example.mjs");
    const whole = script
      .replace(/from "(fallline[a-z/]*)"/g, (_, name: string) => `from "${fileUrl(entryOf(name))}"`)
      .replace('from "webgpu"', `from "${fileUrl("node_modules/webgpu/index.js")}"`);
    writeFileSync(path, whole);
    return await work(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Node's own import, which loads the built library as it is. */
const importNative: (url: string) => Promise<unknown> = new Script("(url) => import(url)", {
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
}).runInThisContext();

/** Runs a script in this process, and puts back what it replaces; what it prints. */
function run(script: string): Promise<string> {
  return written(script, async (path) => {
    const lines: string[] = [];
    const { log, table } = console;
    const globals = ["navigator", "fetch"].map(
      (name) => [name, Reflect.getOwnPropertyDescriptor(globalThis, name)] as const,
    );
    console.log = (...words: unknown[]) => lines.push(format(...words));
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true, writable: true });
    try {
      await importNative(pathToFileURL(path).href);
    } finally {
      Object.assign(console, { log, table });
      for (const [name, descriptor] of globals) {
        if (descriptor) Object.defineProperty(globalThis, name, descriptor);
        else Reflect.deleteProperty(globalThis, name);
      }
    }
    return lines.join("\n").trim();
  });
}

/** Runs a script in a Node of its own; what it prints. */
function runApart(script: string): Promise<string> {
  return written(script, (path) => {
    // Where there is no driver, Chrome's: what a user without one would set.
    const folderOfDriver = mayHaveHardware() ? undefined : findSwiftShader();
    const env = folderOfDriver
      ? {
          ...process.env,
          LD_LIBRARY_PATH: folderOfDriver,
          VK_ICD_FILENAMES: join(folderOfDriver, "vk_swiftshader_icd.json"),
        }
      : process.env;
    return execFileSync(process.execPath, [path], { encoding: "utf8", env }).trim();
  });
}

const isOfNode = (example: string) => example.includes('from "fallline/node"');

/** The README's way to a device in Node, in place of an example's own. */
function inNode(example: string): string {
  const [device = ""] = blocks("README.md", "js").filter(isOfNode);
  return `${device}\n${example.replace(/^const device = .*$/m, "")}`;
}

/** What an example promises to print, line by line. */
const promised = (example: string) => [...example.matchAll(/\/\/ → (.*)/g)].map(([, line]) => line).join("\n");

/** How many blocks of a language a document has. */
function countBlocks(file: string, language: string): number {
  return readFileSync(join(root, file), "utf8").split(`\`\`\`${language}\n`).length - 1;
}

describe.each([
  ...["docs/learning_rate.md", "docs/data.md", "docs/first_hour.md", "docs/models.md", "docs/curvature.md"],
  ...["docs/schedules.md", "docs/rules.md"],
])("%s", (file) => {
  it.each(Array.from({ length: countBlocks(file, "js") }, (_, index) => index))(
    "has example %i, which prints what it promises",
    async (index) => {
      const example = block(file, "js", index);
      expect(promised(example)).not.toBe("");
      expect(await run(example)).toBe(promised(example));
    },
  );
});

it.each(["docs/learning_rate.md", "docs/data.md"])("%s has a run config that can be read", (file) => {
  const config = JSON.parse(block(file, "json"));
  expect(JSON.parse(JSON.stringify(readRunConfig(config)))).toMatchObject(config);
});

/** What a page has and Node lacks: WebGPU, and an origin private file system, which is a map here. */
const asPage = `
import { create, globals } from "webgpu";
Object.assign(globalThis, globals);
const gpu = create([]);
const files = new Map();
const getFileHandle = async (name, { create = false } = {}) => {
  if (!files.has(name) && !create) throw new DOMException("no such file", "NotFoundError");
  return {
    getFile: async () => new Blob(files.get(name)),
    async createWritable() {
      const parts = [];
      return { write: async (part) => void parts.push(part), close: async () => void files.set(name, parts) };
    },
  };
};
globalThis.navigator ??= {};
Object.defineProperties(navigator, { gpu: { value: gpu }, storage: { value: { getDirectory: async () => ({ getFileHandle }) } } });
`;

describe("docs/long_runs.md", () => {
  const [whole, between, storage, lost] = [0, 1, 2, 3].map((index) => block("docs/long_runs.md", "js", index)) as [
    string,
    string,
    string,
    string,
  ];

  it.each([
    ["a run that is resumed", whole],
    ["a run whose rate is changed", between],
  ])("has %s", async (_, example) => {
    expect(promised(example)).not.toBe("");
    expect(await run(example)).toBe(promised(example));
  });

  it("has a page that keeps checkpoints over reloads", async () => {
    const use = `
import { sgd } from "fallline";
import { cpuEngine, datasets, mlp, train } from "fallline/train";
const inputs = Array.from({ length: 100 }, (_, i) => [Math.sin(i)]);
const data = datasets.fromArrays({ inputs, labels: inputs.map(([x]) => (x > 0 ? 1 : 0)) });
const config = { model: mlp([1, 2]), optimizer: sgd(), batch: 64, steps: 20 };
const stop = new AbortController();
const options = async () => ({ resume: await lastCheckpoint("run"), onCheckpoint: keepIn("run"), saveEvery: 5 });
const onStep = ({ index }) => index === 8 && stop.abort();
const first = await train({ engine: cpuEngine(), ...config, data, ...(await options()), signal: stop.signal, onStep });
const second = await train({ engine: cpuEngine(), ...config, data, ...await options() });
const never = await train({ engine: cpuEngine(), ...config, data });
console.log(first.losses.length < 20, JSON.stringify(second.losses) === JSON.stringify(never.losses));`;
    expect(await run(`${asPage}${storage}${use}`)).toBe("true true");
  });

  it("has a run that survives the loss of its device", async () => {
    // A device that is lost may take its Node along.
    expect(await runApart(`${asPage}${lost}`)).toBe(promised(lost));
  });
});

describe("docs/how_to.md", () => {
  it.each(blocks("docs/how_to.md", "js").map((example, index) => [index, example] as const))(
    "has answer %i, which prints what it promises",
    async (_, example) => {
      expect(promised(example)).not.toBe("");
      expect(await run(example.includes("requestDevice") ? inNode(example) : example)).toBe(promised(example));
    },
  );
});

describe("README.md", () => {
  const examples = blocks("README.md", "js").filter((example) => !isOfNode(example));
  it.each(examples.map((example, index) => [index, example] as const))(
    "has example %i, which runs in Node and prints what it promises",
    async (index, example) => {
      expect(promised(example)).not.toBe("");
      expect(await (index === 0 ? runApart : run)(example.includes("requestDevice") ? inNode(example) : example)).toBe(
        promised(example),
      );
    },
  );

  it("measures a step of the caller's in one line", async () => {
    const setting = `import { adamw, createOptimizer, requestDevice } from "fallline";
const device = await requestDevice();
const optimizer = await createOptimizer(device, { w: [100, 100] }, adamw());
console.table = (rows) => console.log(rows.length, rows[0].dispatches, rows[0].ms > 0);
`;
    expect(await run(`${inNode(setting)}${block("README.md", "ts", 1)}`)).toBe("1 1 true");
  });
});

describe("README.md on PyTorch", () => {
  it("loads a state_dict's file", async () => {
    // What the lines of Python before it would have written of one layer after seven steps.
    const setting = `import { adamw, createCpuOptimizer, encodeSafetensors, loadTorch } from "fallline";
const optimizer = createCpuOptimizer([{ name: "fc.weight", shape: [3, 2] }], adamw());
const tensor = (shape, ...data) => ({ shape, data: Float32Array.from(data) });
const tensors = new Map([
  ["fc.weight.step", tensor([], 7)],
  ["fc.weight.exp_avg", tensor([2, 3], 1, 2, 3, 4, 5, 6)],
  ["fc.weight.exp_avg_sq", tensor([2, 3], 6, 5, 4, 3, 2, 1)],
  ["fc.weight", tensor([2, 3], 10, 20, 30, 40, 50, 60)],
]);
globalThis.fetch = async () => new Response(encodeSafetensors({ metadata: {}, tensors }));
`;
    const report = `console.log((await optimizer.stats()).step, ...(await optimizer.read("m"))["fc.weight"]);`;
    expect(await run(`${setting}${block("README.md", "ts")}${report}`)).toBe("7 1 4 2 5 3 6");
  });
});

describe("docs/custom_rules.md", () => {
  it("has a rule that obeys every law", async () => {
    const example = block("docs/custom_rules.md", "js");
    expect(await run(inNode(example))).toBe(promised(example));
  });
});

describe("docs/custom_objectives.md", () => {
  it("has an objective that obeys every law, and trains", async () => {
    const example = block("docs/custom_objectives.md", "js");
    expect(await run(inNode(example))).toBe(promised(example));
  });
});

describe("CONTRIBUTING.md", () => {
  it("adds a rule that obeys every law", async () => {
    const wgsl = block("CONTRIBUTING.md", "wgsl");
    const definition = block("CONTRIBUTING.md", "ts")
      .replace(/^import .*$/gm, "")
      .replace(/export const \w+ =/, "return");
    const rule = new Function("ruleFrom", "signsSnippet", "wgsl", definition)(ruleFrom, signsSnippet, wgsl) as Rule;
    const results = await verifyRule(rule, { device });
    expect(results.filter(({ problem }) => problem)).toEqual([]);
    expect(results.length).toBeGreaterThan(20);
  });

  it("and the laws find a rule whose halves differ", async () => {
    const sgd = rules.find(({ name }) => name === "sgd")!;
    const wrong = defineRule({
      ...sgd,
      name: "wrong",
      update(x, g, h) {
        x.step = 1.001 * h.lr! * g;
      },
    });
    const laws = (await verifyRule(wrong, { device })).filter(({ problem }) => problem).map(({ law }) => law);
    expect(laws).toContain("the GPU matches the twin after 1 step and after many, in two groups");
    await expect(verifyRule({} as Rule)).rejects.toThrow("rule is {}; it must be what defineRule returns");
  });
});
