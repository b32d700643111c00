// The package as npm packs it, installed as users do: its types and all examples under three compilers, its documents, and a program
// that trains in Node, Deno and Bun, with Vite, webpack and Next.js, in a plain page, and beside other libraries. Needs the registry
// (`npm run test:package`).

import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "puppeteer";
import { beforeAll, describe, expect, it } from "vitest";
import { findSwiftShader, mayHaveHardware } from "../../scripts/webgpu.mjs";
import { launchChrome, openPage, root, serve } from "../browser/chrome.ts";
import { documentExamples, programs, promisedBy } from "../examples.ts";
import { ownFolder } from "../folder.ts";

const work = ownFolder("package");

interface Said {
  readonly code: number;
  readonly stdout: string;
  /** What it wrote on either stream. */
  readonly text: string;
}

/** Runs a program in a folder, whatever it ends with. */
const run = (folder: string, program: string, ...words: string[]) => runWith(process.env, folder, program, ...words);

async function runWith(env: NodeJS.ProcessEnv, folder: string, program: string, ...words: string[]): Promise<Said> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, words, { cwd: folder, env, maxBuffer: 2 ** 26 });
    return { code: 0, stdout: stdout.trim(), text: `${stdout}${stderr}`.trim() };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout: stdout.trim(), text: `${stdout}${stderr}`.trim() };
  }
}

/** Runs what a package of the project's brings. */
const tool = (folder: string, path: string, ...words: string[]) =>
  run(folder, process.execPath, join(folder, "node_modules", path), ...words);

const packed = await run(root, "npm", "pack", "--json", "--loglevel=error", "--pack-destination", work);
const [{ filename, files }] = JSON.parse(packed.text) as [{ filename: string; files: { path: string }[] }];
const tarball = join(work, filename);

/** A folder with these files, in which the package and others are installed. */
async function project(name: string, contents: Readonly<Record<string, string>>, ...others: string[]): Promise<string> {
  const folder = join(work, name);
  mkdirSync(folder);
  for (const [path, text] of Object.entries({ "package.json": '{ "private": true }', ...contents })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const { code, text } = await run(folder, "npm", "install", ...quiet, tarball, ...others);
  expect(code, text).toBe(0);
  return folder;
}

/** Trains, and says on what and whether the loss fell. */
const program = (report: string, engine?: string) => `
const points = Array.from({ length: 200 }, (_, i) => [Math.sin(3 * i), Math.cos(7 * i)]);
const data = datasets.fromArrays({ inputs: points, labels: points.map(([x, y]) => Number(x + y > 0)) });
const { backend, losses } = await train({ model: mlp([2, 16, 2]), data, optimizer: adamw(0.01), batch: 32, steps: 60${engine ? `, ${engine}` : ""} });
${report}(\`\${backend} \${losses[59] < losses[0]}\`);
`;
const imports = `import { adamw } from "fallline";
import { datasets, mlp, train } from "fallline/train";
`;
const typed = (text: string) => `${imports}${text}`;
const inPage = `${imports}${program("const say = (text) => (document.title = text);\nsay")}`;

/** What the page of a folder says in its title, and the errors that it logs. */
async function pageOf(folder: string): Promise<readonly string[]> {
  return saidBy(await serve(folder), (page) => page.title());
}

/** What a page says once it says anything, and the errors that it logs. */
async function saidBy(address: string, read: (page: Page) => Promise<string>): Promise<readonly string[]> {
  const { page, errors } = await openPage(await launchChrome());
  await page.goto(address);
  await expect
    .poll(async () => errors.length > 0 || !/^…?$/.test(await read(page)), { timeout: 120_000, interval: 200 })
    .toBe(true);
  return [await read(page), ...errors];
}

const outputOf = (page: Page) => page.$eval("output", ({ textContent }) => textContent ?? "");

const html = (head: string) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">${head}</head><body></body></html>`;

describe("the package", () => {
  it("is clean to publint and are-the-types-wrong", async () => {
    const folder = await project("checks", {}, "publint", "@arethetypeswrong/cli");
    expect(await tool(folder, "publint/src/cli.js", tarball, "--strict")).toMatchObject({ code: 0 });
    const profile = ["--profile", "esm-only", "--no-color"];
    const types = await tool(folder, "@arethetypeswrong/cli/dist/index.js", tarball, ...profile);
    expect(types.code, types.text).toBe(0);
  });

  it("has no dependencies, and what its documents link to", async () => {
    const paths = new Set(files.map(({ path }) => path));
    const documents = [...paths].filter((path) => path === "README.md" || /^docs\/.*\.md$/.test(path));
    expect(documents.length).toBeGreaterThan(10);
    const missing = documents.flatMap((document) => {
      const text = readFileSync(join(root, document), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
      return [...text.replace(/`[^`\n]*`/g, "").matchAll(/\]\(([^)\s#]+)[^)\s]*\)/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^[a-z]+:/.test(target) && !paths.has(join(dirname(document), target)))
        .map((target) => `${document}: ${target}`);
    });
    expect(missing).toEqual([]);
    const folder = await project("plain", {});
    const installed = readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."));
    expect(installed).toEqual(["fallline"]);
  });
});

describe("the types compile", () => {
  const compilers = ["5.9", "6", "7"];
  const folders = new Map<string, Promise<string>>();
  const folderOf = (version: string) => {
    const found =
      folders.get(version) ??
      project(
        `typescript-${version}`,
        { "package.json": '{ "private": true, "type": "module" }', "main.ts": everyEntry },
        `typescript@${version}`,
        ...(version === "5.9" ? ["@webgpu/types"] : []),
      );
    folders.set(version, found);
    return found;
  };
  const everyEntry = `import { adamw, createOptimizer, requestDevice } from "fallline";
import { bench } from "fallline/bench";
import { ema } from "fallline/modifiers";
import { requestNodeDevice } from "fallline/node";
import { cosine } from "fallline/schedules";
import { datasets, mlp, train } from "fallline/train";
export async function use(given?: GPUDevice): Promise<readonly string[]> {
  const device = given ?? (await requestNodeDevice());
  const config = adamw({ lr: cosine({ base: 0.1, steps: 3 }), modifiers: [ema({ decay: 0.9 })] });
  const optimizer = await createOptimizer(await requestDevice(navigator.gpu), { w: [3] }, config);
  await bench({ device, step: (pass) => optimizer.encode(pass) });
  const data = datasets.fromArrays({ inputs: [[1], [2]], labels: ["a", "b"] });
  await train({ model: mlp([1, data.classes]), data, optimizer: config, batch: 2, steps: 1 });
  // @ts-expect-error a misspelt option does not compile
  adamw({ learningRate: 1 });
  return optimizer.slots;
}
`;
  const lib = ["dom", "webworker"];
  const resolutions = [
    ["node16", "node16"],
    ["nodenext", "nodenext"],
    ["bundler", "esnext"],
  ] as const;
  const cases = compilers.flatMap((version) =>
    lib.flatMap((library) => resolutions.map((resolution) => [version, library, ...resolution] as const)),
  );

  it.each(cases)("under TypeScript %s with %s and %s", async (version, library, moduleResolution, module) => {
    const folder = await folderOf(version);
    const compilerOptions = {
      ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ skipLibCheck: false, types: [], target: "es2022", lib: ["es2023", library], module, moduleResolution },
    };
    const config = `${library}-${module}.json`;
    writeFileSync(join(folder, config), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    expect(await tool(folder, "typescript/bin/tsc", "-p", config)).toMatchObject({ code: 0, text: "" });
    expect(existsSync(join(folder, "node_modules/@webgpu/types"))).toBe(version === "5.9");
  });
});

describe("trains", () => {
  it("in Node, as an ES module and by require, without a warning", async () => {
    const required = `const { adamw } = require("fallline");
const { datasets, mlp, train } = require("fallline/train");
(async () => {${program("console.log")}})();`;
    const folder = await project("node", {
      "main.mjs": `${imports}${program("console.log")}`,
      "main.cjs": required,
    });
    for (const main of ["main.mjs", "main.cjs"]) {
      expect(await run(folder, process.execPath, main), main).toMatchObject({ code: 0, text: "cpu true" });
    }
  });

  it("in Deno and in Bun", async () => {
    const opened = `import { requestNodeDevice } from "fallline/node";
import { webgpuEngine } from "fallline/train";
const engine = webgpuEngine(await requestNodeDevice());
`;
    const files = {
      "main.ts": typed(program("console.log")),
      "device.ts": `${opened}${typed(program("console.log", "engine"))}process.exit(0);\n`,
    };
    const folder = await project("runtimes", files, "deno", "bun", "webgpu");
    const [deno, bun] = ["deno", "bun"].map((name) => join(folder, "node_modules/.bin", name)) as [string, string];
    // Where there is no driver, a Chrome's is named for Deno, as a user without one would.
    const driver = mayHaveHardware() ? undefined : findSwiftShader();
    const named = { LD_LIBRARY_PATH: driver, VK_ICD_FILENAMES: join(driver ?? "", "vk_swiftshader_icd.json") };
    const env = { ...process.env, ...(driver ? named : {}) };
    const ran = [
      await runWith(env, folder, deno, "run", "-A", "--unstable-webgpu", "main.ts"),
      await run(folder, bun, "main.ts"),
      await run(folder, bun, "device.ts"),
    ];
    // Drivers write on stderr what they please.
    const said = ["webgpu true", "cpu true", "webgpu true"];
    expect(ran, ran.map(({ text }) => text).join("\n")).toMatchObject(said.map((stdout) => ({ code: 0, stdout })));
  });

  it("with Next.js", async () => {
    const page = `"use client";
import { useEffect, useState } from "react";
${imports}
export default function Page() {
  const [said, say] = useState("");
  useEffect(() => {
    const work = async () => {${program("say")}};
    work().catch((error) => say(String(error)));
  }, []);
  return <output>{said}</output>;
}
`;
    const layout = `export default function Layout({ children }: { children: React.ReactNode }) {
  return (
    <html lang="en">
      <head>
        <link rel="icon" href="data:," />
      </head>
      <body>{children}</body>
    </html>
  );
}
`;
    const folder = await project(
      "next",
      { "app/page.tsx": page, "app/layout.tsx": layout, "next.config.mjs": 'export default { output: "export" };' },
      ...["next", "react", "react-dom", "typescript@5.9", "@types/react", "@types/node", "@webgpu/types"],
    );
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: undefined };
    const next = join(folder, "node_modules/next/dist/bin/next");
    const built = await runWith(env, folder, process.execPath, next, "build");
    expect(built.code, built.text).toBe(0);
    expect(await saidBy(await serve(join(folder, "out")), outputOf)).toEqual(["webgpu true"]);
  }, 600_000);

  it("with Vite and TypeScript", async () => {
    const compilerOptions = {
      ...{
        target: "es2023",
        module: "esnext",
        moduleResolution: "bundler",
        lib: ["es2023", "dom"],
        types: ["vite/client"],
      },
      ...{ strict: true, skipLibCheck: true, noEmit: true, verbatimModuleSyntax: true, moduleDetection: "force" },
    };
    const folder = await project(
      "vite",
      {
        "index.html": html('<script type="module" src="/main.ts"></script>'),
        "main.ts": inPage.replace("(text)", "(text: string)"),
        "tsconfig.json": JSON.stringify({ compilerOptions, include: ["main.ts"] }),
      },
      "vite",
      "typescript",
    );
    expect(await tool(folder, "typescript/bin/tsc")).toMatchObject({ code: 0, text: "" });
    const built = await tool(folder, "vite/bin/vite.js", "build");
    expect(built.code, built.text).toBe(0);
    expect(await pageOf(join(folder, "dist"))).toEqual(["webgpu true"]);
  });

  it("with webpack", async () => {
    const config = `module.exports = { mode: "production", entry: "./main.mjs", performance: { hints: false } };`;
    const files = { "main.mjs": inPage, "webpack.config.js": config };
    const folder = await project("webpack", files, "webpack", "webpack-cli");
    const built = await tool(folder, "webpack-cli/bin/cli.js");
    expect(built.code, built.text).toBe(0);
    expect(built.text).not.toContain("WARNING");
    writeFileSync(join(folder, "dist/index.html"), html('<script defer src="main.js"></script>'));
    expect(await pageOf(join(folder, "dist"))).toEqual(["webgpu true"]);
  });

  it("in a page without a bundler", async () => {
    const entry = (name: string) => `./node_modules/fallline/dist/lib/src/${name}.js`;
    const map = JSON.stringify({ imports: { fallline: entry("index"), "fallline/train": entry("training") } });
    const head = `<script type="importmap">${map}</script><script type="module">${inPage}</script>`;
    expect(await pageOf(await project("page", { "index.html": html(head) }))).toEqual(["webgpu true"]);
  });
});

describe("beside other libraries", () => {
  const names = readdirSync(join(root, "examples/peers"))
    .filter((name) => name.endsWith(".html"))
    .map((name) => name.replace(".html", ""));
  const input = JSON.stringify(names.map((name) => `examples/peers/${name}.html`));
  let folder = "";
  let address = "";

  beforeAll(async () => {
    folder = await project(
      "peers",
      {
        "package.json": '{ "private": true, "type": "module" }',
        "vite.config.js": `export default { build: { target: "es2022", rolldownOptions: { input: ${input} } } };`,
        ...Object.fromEntries(documentExamples(root).map(({ name, code }) => [`documents/${name}`, code])),
      },
      ...["typescript@5.9", "typescript-6@npm:typescript@6", "typescript-7@npm:typescript@7", "@webgpu/types", "vite"],
      ...["@jax-js/jax", "@tensorflow/tfjs", "@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu"],
      ...["three", "@types/three", "onnxruntime-web", "typegpu"],
    );
    cpSync(join(root, "examples"), join(folder, "examples"), { recursive: true });
  }, 300_000);

  it.each(["typescript", "typescript-6", "typescript-7"])(
    "every example compiles under %s, strict",
    async (version) => {
      const compilerOptions = {
        ...{ strict: true, allowJs: true, checkJs: true, noEmit: true, types: [], target: "es2022" },
        // Not every other library's declarations compile without it.
        ...{
          skipLibCheck: true,
          lib: ["es2023", "dom", "dom.iterable"],
          module: "esnext",
          moduleResolution: "bundler",
        },
      };
      const include = ["documents", "examples"];
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include }));
      expect(await tool(folder, `${version}/bin/tsc`)).toMatchObject({ code: 0, text: "" });
    },
  );

  it("they are built", async () => {
    const built = await tool(folder, "vite/bin/vite.js", "build");
    expect(built.code, built.text).toBe(0);
    address = await serve(join(folder, "dist"));
  });

  it.each(names)("%s prints what it promises", async (name) => {
    const promised = promisedBy(programs(root).get(`examples/peers/${name}.js`)!);
    expect(await saidBy(`${address}examples/peers/${name}.html`, outputOf)).toEqual([promised]);
  });
});
