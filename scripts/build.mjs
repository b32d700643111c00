// Builds everything into dist/: the library (ESM, WGSL inlined), its types, the CLI and the page.
import { execFile } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";

const root = join(import.meta.dirname, "..");
const common = /** @type {const} */ ({ root, configFile: false, logLevel: "warn" });

/**
 * @param {string} entry
 * @param {string} fileName
 * @param {boolean} node whether it runs in Node alone, with its libraries bundled
 */
function bundle(entry, fileName, node) {
  return build({
    ...common,
    ssr: { noExternal: true, external: ["webgpu"] },
    publicDir: false,
    build: {
      ssr: node,
      target: "es2022",
      minify: false,
      outDir: "dist",
      emptyOutDir: false,
      // What the CLI bundles keeps its authors' licenses beside it.
      license: node ? { fileName: "cli.licenses.md" } : false,
      ...(node ? {} : { lib: { entry, formats: ["es"], fileName: () => fileName } }),
      rolldownOptions: {
        ...(node ? { input: entry } : {}),
        output: { entryFileNames: fileName, codeSplitting: false },
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

await rm(join(root, "dist"), { recursive: true, force: true });
await Promise.all([
  types(),
  bundle("src/index.ts", "fallline.js", false),
  bundle("src/cli/main.ts", "cli.js", true),
  build({ root, logLevel: "warn" }),
]);
