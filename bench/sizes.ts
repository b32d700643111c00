// Weighs the cases of the suite "size": bundles each module with Vite as a page's build would, minified, in memory, and
// counts what gzip -9 leaves of it. The library is bundled from the one file that is published, not from its sources.
import { gzipSync } from "node:zlib";
import { build, type InlineConfig, type Plugin } from "vite";
import { root } from "./serve.ts";
import { emptyRow, messageOf, type Row } from "./suite.ts";
import type { SizeCase } from "./suites/size.ts";

/** Never throws: what does not bundle is an error of its row. */
export async function weigh({ modules, ...of }: SizeCase): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [engine, module] of Object.entries(modules)) {
    const row = emptyRow(of, engine);
    try {
      const code = await bundle({ entry: module, fallline: await library() });
      rows.push({ ...row, bytes: gzipSync(code, { level: 9 }).length });
    } catch (error) {
      rows.push({ ...row, error: `it does not bundle: ${messageOf(error)}` });
    }
  }
  return rows;
}

let published: Promise<string> | undefined;

/** As scripts/build.mjs makes it. */
function library(): Promise<string> {
  published ??= codeOf({ build: { minify: false, lib: { entry: "src/index.ts", formats: ["es"] } } });
  return published;
}

function bundle(modules: Readonly<Record<string, string>>): Promise<string> {
  return codeOf({
    plugins: [virtual(modules)],
    build: {
      modulePreload: false,
      rolldownOptions: { input: "entry", preserveEntrySignatures: "strict" },
    },
  });
}

/** Modules that are text. */
function virtual(modules: Readonly<Record<string, string>>): Plugin {
  return {
    name: "fallline-virtual",
    enforce: "pre",
    resolveId: (id) => (id in modules ? `\0${id}` : undefined),
    load: (id) => (id.startsWith("\0") ? modules[id.slice(1)] : undefined),
  };
}

/** What Vite makes of it, in memory. */
async function codeOf(config: InlineConfig): Promise<string> {
  const made = await build({
    root,
    configFile: false,
    logLevel: "error",
    publicDir: false,
    ...config,
    build: {
      ...config.build,
      write: false,
      target: "es2022",
      rolldownOptions: { ...config.build?.rolldownOptions, output: { codeSplitting: false } },
    },
  });
  const outputs = Array.isArray(made) ? made.flatMap(({ output }) => output) : "output" in made ? made.output : [];
  return outputs.map((output) => (output.type === "chunk" ? output.code : "")).join("\n");
}
