// Starts the benchmark (bench/run.ts). Node runs no TypeScript that imports WGSL, so Vite loads it.
import { join } from "node:path";
import { runnerImport } from "vite";

const root = join(import.meta.dirname, "..");

/** @type {{ module: typeof import("../bench/run.ts") }} */
const { module } = await runnerImport("/bench/run.ts", { root, configFile: false, logLevel: "warn" });
await module.main(process.argv);
process.exit();
