// Weighs the cases of the suite "size": bundles each module with Vite and with esbuild like a page's build, minified, in memory,
// and counts its bytes after gzip -9. The library is bundled as published, from dist/.
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import { build, type Plugin } from "vite";
import manifest from "../package.json" with { type: "json" };
import { root } from "./serve.ts";
import { emptyRow, messageOf, type Row } from "./suite.ts";
import type { SizeCase } from "./suites/size.ts";

/** Never throws: a failure to bundle is an error of its row. */
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

/** The library's entries by their specifiers, as the package exports them. */
const entries = Object.fromEntries(
  Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
    typeof entry === "string" ? [] : [[`fallline${subpath.slice(1)}`, join(root, entry.default)]],
  ),
);

/** Vite's default production build of a module given as text, without what is loaded on demand. */
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
      rolldownOptions: { input: "entry", preserveEntrySignatures: "strict" },
    },
  });
  const outputs = Array.isArray(made) ? made.flatMap(({ output }) => output) : "output" in made ? made.output : [];
  const chunks = outputs.filter((output) => output.type === "chunk");
  const entry = chunks.find(({ isEntry }) => isEntry)!;
  const files = atOnce(entry.fileName, (name) => chunks.find(({ fileName }) => fileName === name)!.imports);
  return chunks
    .filter(({ fileName }) => files.has(fileName))
    .map(({ code }) => code)
    .join("\n");
}

/** A file and everything that it imports statically, directly or not. */
function atOnce(entry: string, importsOf: (file: string) => readonly string[]): ReadonlySet<string> {
  const files = new Set([entry]);
  for (const file of files) for (const imported of importsOf(file)) files.add(imported);
  return files;
}

function virtual(module: string): Plugin {
  return {
    name: "fallline-size",
    enforce: "pre",
    resolveId: (id) => (id === "entry" ? "\0entry" : entries[id]),
    load: (id) => (id === "\0entry" ? module : undefined),
  };
}

/** esbuild's bundle of the same, and the bytes contributed by each module, by its path in dist/lib, most first. */
export async function bundleWithEsbuild(
  module: string,
): Promise<{ readonly code: string; readonly modules: readonly (readonly [path: string, bytes: number])[] }> {
  const { outputFiles, metafile } = await esbuild({
    stdin: { contents: module, resolveDir: root },
    alias: entries,
    absWorkingDir: root,
    ...({ bundle: true, minify: true, format: "esm", target: "es2022", write: false, metafile: true } as const),
    ...{ splitting: true, outdir: "out" },
    logLevel: "silent",
  });
  const entry = Object.keys(metafile.outputs).find((file) => metafile.outputs[file]!.entryPoint)!;
  const files = atOnce(entry, (file) =>
    metafile.outputs[file]!.imports.flatMap(({ path, kind }) => (kind === "import-statement" ? [path] : [])),
  );
  const modules = [...files]
    .flatMap((file) => Object.entries(metafile.outputs[file]!.inputs))
    .map(([path, { bytesInOutput }]) => [relative("dist/lib", path), bytesInOutput] as const)
    .sort(([, a], [, b]) => b - a);
  const loaded = outputFiles.filter(({ path }) => files.has(relative(root, path)));
  return { code: loaded.map(({ text }) => text).join("\n"), modules };
}
