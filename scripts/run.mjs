// Runs the `main` of a TypeScript file: `node scripts/run.mjs bench/run.ts --quick`. Node runs no TypeScript that imports WGSL,
// so Vite loads it. An error of the library is a sentence for the user; any other is a fault of the script, and keeps its stack.
import { join } from "node:path";
import { runnerImport } from "vite";

const root = join(import.meta.dirname, "..");
const [node = "", script = "", file = "", ...words] = process.argv;

/** @type {{ module: { main(words: readonly string[]): Promise<void> } }} */
const { module } = await runnerImport(`/${file}`, { root, configFile: false, logLevel: "warn" });
try {
  if (module.main.length === 0 && words.length > 0) {
    throw Object.assign(new Error(`"${words[0]}" is given; it takes no arguments`), { name: "OptionError" });
  }
  await module.main([node, script, ...words]);
} catch (error) {
  const ours = ["OptionError", "DataError", "DeviceError", "FalllineError"];
  if (!(error instanceof Error) || !ours.includes(error.name)) throw error;
  process.stderr.write(`${process.env.npm_lifecycle_event ?? file}: ${error.message}\n`);
  process.exitCode = 1;
}
process.exit();
