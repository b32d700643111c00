// The same cases on the CPU reference, for what the table compares: `reference.mjs BUNDLE FILES float32|float64 quick|whole`. With float64
// this process has no float32: its arrays are of float64 and nothing is rounded, so that what comes out is the formulas alone.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [bundle = "", files = "", precision = "", quick = ""] = process.argv.slice(2);
if (precision === "float64") {
  Object.assign(globalThis, { Float32Array: Float64Array });
  Math.fround = (x) => x;
}
/** @type {typeof import("./agent.ts")} */
const { runReference } = await import(pathToFileURL(bundle).href);
const wanted = precision === "float64" ? ["rules", "drift"] : ["exact"];
const read = async (/** @type {string} */ name) => new Uint8Array(await readFile(join(files, name)));
const share = quick === "quick" ? { index: 0, of: 1 } : undefined;
await runReference(read, wanted, share, (line) => process.stdout.write(`${JSON.stringify(line)}\n`));
