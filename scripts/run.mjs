// Runs the `main` of a TypeScript file: `node scripts/run.mjs bench/run.ts --quick`. Node runs no TypeScript that imports WGSL,
// so Vite loads it.
import { join } from "node:path";
import { runnerImport } from "vite";

const root = join(import.meta.dirname, "..");
const [node = "", script = "", file = "", ...words] = process.argv;

/** @type {{ module: { main(words: readonly string[]): Promise<void> } }} */
const { module } = await runnerImport(`/${file}`, { root, configFile: false, logLevel: "warn" });
await module.main([node, script, ...words]);
process.exit();
