// Builds everything into dist/: the library (ES modules one by one, WGSL minified), its types, the CLI and the page.
import { execFile } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";
import { minifiedWgsl } from "./minify_wgsl.mjs";

const root = join(import.meta.dirname, "..");
/** @satisfies {import("vite").InlineConfig} */
const common = {
  root,
  configFile: false,
  logLevel: /** @type {const} */ ("warn"),
  publicDir: false,
  plugins: [minifiedWgsl()],
};

/** The entries of the library, by the folder in dist/ whose index.js each is; package.json names them in `exports`. */
const entries = { index: "src/index.ts", "train/index": "src/train/index.ts", "bench/index": "bench/index.ts" };

/** A file for each module, so that a user's bundler drops those that are not used. */
function library() {
  return build({
    ...common,
    build: {
      target: "es2022",
      minify: false,
      outDir: "dist/lib",
      lib: { entry: entries, formats: ["es"] },
      rolldownOptions: {
        checks: { bundlerTimings: false },
        output: { preserveModules: true, preserveModulesRoot: "src", entryFileNames: "[name].js" },
      },
    },
  });
}

/** One file that runs in Node alone, with the packages that it uses bundled. */
function commandLine() {
  return build({
    ...common,
    ssr: { noExternal: true, external: ["webgpu"] },
    build: {
      ssr: true,
      target: "es2022",
      minify: false,
      outDir: "dist",
      emptyOutDir: false,
      // What it bundles keeps its authors' licenses beside it.
      license: { fileName: "cli.licenses.md" },
      rolldownOptions: {
        checks: { bundlerTimings: false },
        input: "src/cli/main.ts",
        output: { entryFileNames: "cli.js", codeSplitting: false },
      },
    },
  });
}

async function types() {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [tsc, "-p", "scripts/types.tsconfig.json"], { cwd: root });
  const folder = join(root, "dist", "types");
  for (const entry of await readdir(folder, { recursive: true })) {
    if (!entry.endsWith(".d.ts")) continue;
    const path = join(folder, entry);
    // Users' compilers resolve "./x.js" to x.d.ts under every moduleResolution; "./x.ts" only under some.
    await writeFile(path, (await readFile(path, "utf8")).replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
  }
}

const parts = { types, lib: library, cli: commandLine, page: () => build({ root, logLevel: "warn" }) };

// `npm run build -- lib cli` builds these alone and leaves the rest as it is.
const asked = process.argv.slice(2);
if (asked.length === 0) await rm(join(root, "dist"), { recursive: true, force: true });
await Promise.all(
  Object.entries(parts).map(([name, make]) => (asked.length === 0 || asked.includes(name) ? make() : undefined)),
);
