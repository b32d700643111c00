// Runs the `main` of a TypeScript file: `node scripts/run.mjs bench/run.ts --quick`. Node runs no TypeScript that imports WGSL,
// so Vite loads it. An error of the library is a sentence for the user; any other is a fault of the script, and keeps its stack.
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const [node = "", script = "", file = "", ...words] = process.argv;
const name = process.env.npm_lifecycle_event ?? file;

// The modules take seconds.
process.stderr.write(`${name}: loading …\n`);
const { runnerImport } = await import("vite");
/** @type {{ module: { main(words: readonly string[]): Promise<void> } }} */
const { module } = await runnerImport(`/${file}`, { root, configFile: false, logLevel: "warn" });
/** @param {string} message */
const refuse = (message) => {
  process.stderr.write(`${name}: ${message}\n`);
  process.exit(1);
};

if (module.main.length === 0 && words.length > 0) refuse(`"${words[0]}" is given; it takes no arguments`);
try {
  await module.main([node, script, ...words]);
} catch (error) {
  // Vite's copy of the classes is another than any that could be imported here.
  const ours = ["OptionError", "DataError", "DeviceError", "FalllineError"];
  if (!(error instanceof Error) || !ours.includes(error.name)) throw error;
  refuse(error.message);
}
process.exit();
