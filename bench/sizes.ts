// Weighs the cases of the suite "size": bundles each module with Vite and with esbuild as a page's build would, minified, in
// memory, and counts what gzip -9 leaves of it. The library is bundled as it is published, from dist/.
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import { build, type Plugin } from "vite";
import manifest from "../package.json" with { type: "json" };
import { root } from "./serve.ts";
import { emptyRow, messageOf, type Row } from "./suite.ts";
import type { SizeCase } from "./suites/size.ts";

/** Never throws: what does not bundle is an error of its row. */
export async function weigh({ modules, limit: _, ...of }: SizeCase): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [engine, module] of Object.entries(modules)) {
    const row = emptyRow(of, engine);
    try {
      rows.push({ ...row, bytes: gzipped(await bundleWithVite(module)) });
    } catch (error) {
      rows.push({ ...row, error: `it does not bundle: ${messageOf(error)}` });
    }
  }
  return rows;
}

/** Bytes. */
export function gzipped(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}

/** The library's entries by the specifiers of its users, as the package exports them. */
const entries = Object.fromEntries(
  Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
    typeof entry === "string" ? [] : [[`fallline${subpath.slice(1)}`, join(root, entry.default)]],
  ),
);

/** What Vite's default production build makes of a module that is text. */
export async function bundleWithVite(module: string): Promise<string> {
  const made = await build({
    root,
    configFile: false,
    logLevel: "error",
    publicDir: false,
    plugins: [virtual(module)],
    build: {
      write: false,
      modulePreload: false,
      rolldownOptions: { input: "entry", preserveEntrySignatures: "strict", output: { codeSplitting: false } },
    },
  });
  const outputs = Array.isArray(made) ? made.flatMap(({ output }) => output) : "output" in made ? made.output : [];
  return outputs.map((output) => (output.type === "chunk" ? output.code : "")).join("\n");
}

function virtual(module: string): Plugin {
  return {
    name: "fallline-size",
    enforce: "pre",
    resolveId: (id) => (id === "entry" ? "\0entry" : entries[id]),
    load: (id) => (id === "\0entry" ? module : undefined),
  };
}

/** What esbuild makes of it, and how many bytes of that each module gave, by its path in dist/lib, most first. */
export async function bundleWithEsbuild(
  module: string,
): Promise<{ readonly code: string; readonly modules: readonly (readonly [path: string, bytes: number])[] }> {
  const { outputFiles, metafile } = await esbuild({
    stdin: { contents: module, resolveDir: root },
    alias: entries,
    absWorkingDir: root,
    ...({ bundle: true, minify: true, format: "esm", target: "es2022", write: false, metafile: true } as const),
    logLevel: "silent",
  });
  const [output] = Object.values(metafile.outputs);
  const modules = Object.entries(output!.inputs)
    .map(([path, { bytesInOutput }]) => [relative("dist/lib", path), bytesInOutput] as const)
    .sort(([, a], [, b]) => b - a);
  return { code: outputFiles.map(({ text }) => text).join("\n"), modules };
}
