// Builds everything into dist/: the library (ES modules one by one with their types, WGSL minified), the CLI and the page.
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";
import { minifiedWgsl, minifyWgsl } from "./minify_wgsl.mjs";

// Vite takes a caller's NODE_ENV for whether a build is one for users, and builds the page without its service worker.
process.env.NODE_ENV = "production";

const root = join(import.meta.dirname, "..");
/** @satisfies {import("vite").InlineConfig} */
const common = {
  root,
  configFile: false,
  logLevel: /** @type {const} */ ("warn"),
  publicDir: false,
  plugins: [minifiedWgsl()],
};

/**
 * A file for each module and its types beside it, so that a user's bundler drops what is not used. Bundling here would turn
 * namespaces (`export * as schedules`) into objects, which no other bundler can take apart.
 */
async function library() {
  const tsc = join(root, "node_modules", "typescript-7", "bin", "tsc");
  await promisify(execFile)(process.execPath, [tsc, "-p", "scripts/library.tsconfig.json"], { cwd: root });
  const folder = join(root, "dist", "lib");
  /** @type {Set<string>} */
  const shaders = new Set();
  for (const entry of await readdir(folder, { recursive: true })) {
    if (!/\.(?:js|d\.ts)$/.test(entry)) continue;
    const path = join(folder, entry);
    const text = await readFile(path, "utf8");
    for (const [, shader] of text.matchAll(/from "(\.[^"]*\.wgsl)\?raw"/g))
      shaders.add(join(dirname(entry), shader ?? ""));
    // Users' compilers resolve "./x.js" to x.d.ts under every moduleResolution; "./x.ts" only under some.
    await writeFile(
      path,
      text.replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"').replace(/\.wgsl\?raw"/g, '.wgsl.js"'),
    );
  }
  for (const shader of shaders) {
    const text = minifyWgsl(await readFile(join(root, shader), "utf8"));
    await mkdir(join(folder, dirname(shader)), { recursive: true });
    await writeFile(join(folder, `${shader}.js`), `export default ${JSON.stringify(text)};\n`);
  }
  await typesBeforeSix();
}

/**
 * TypeScript has WebGPU's types from 6.0 on, and they clash with npm `@webgpu/types`, so no declaration of ours refers to it. An
 * older compiler follows the condition `types@<6.0` of package.json to a declaration that does. Names in those types that a
 * worker's library lacks are declared there too, as the package itself does for video.
 */
async function typesBeforeSix() {
  /** @type {{ exports: Record<string, string | Record<string, string>> }} */
  const { exports } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const entry of Object.values(exports)) {
    if (typeof entry === "string" || !entry["types@<6.0"] || !entry.default) continue;
    const path = join(root, entry["types@<6.0"]);
    const from = relative(dirname(path), join(root, entry.default)).replaceAll("\\", "/");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(
      path,
      `/// <reference types="@webgpu/types" />
declare global {
  interface HTMLImageElement {}
}
export * from "${from}";
`,
    );
  }
}

/** One file for Node, with the packages that it uses bundled. */
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
      // The licenses of bundled packages are kept beside it.
      license: { fileName: "cli.licenses.md" },
      rolldownOptions: {
        checks: { bundlerTimings: false },
        input: "src/app/cli/main.ts",
        output: { entryFileNames: "cli.js", codeSplitting: false },
      },
    },
  });
}

const parts = { lib: library, cli: commandLine, page: () => build({ root, logLevel: "warn" }) };

// `npm run build -- lib cli` builds only these and leaves the rest as it is.
const asked = process.argv.slice(2);
if (asked.length === 0) await rm(join(root, "dist"), { recursive: true, force: true });
await Promise.all(
  Object.entries(parts).map(([name, make]) => (asked.length === 0 || asked.includes(name) ? make() : undefined)),
);
