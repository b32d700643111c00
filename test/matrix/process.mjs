// Runs the cases in this process, whichever runtime it is: `process.mjs BUNDLE FILES HOW ASKED`, with a report on each line of
// stdout. HOW says which WebGPU it is: the runtime's own ("navigator"), or npm webgpu on a driver or on a Chrome's SwiftShader.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { keep, openHardware, openWebGPU } from "../../scripts/webgpu.mjs";

const [bundle = "", files = "", how = "", asked = "{}"] = process.argv.slice(2);

/** @param {import("./agent.ts").Report} line */
const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** @returns {Promise<GPU | string>} WebGPU, or why there is none */
async function open() {
  if (how === "navigator") return navigator.gpu ?? "the runtime has no navigator.gpu";
  if (how === "driver") return (await openHardware()) ?? "Dawn does not take the driver";
  const opened = await openWebGPU();
  return "reason" in opened ? opened.reason : opened.gpu;
}

/** @type {typeof import("./agent.ts")} */
const { runMatrix } = await import(pathToFileURL(bundle).href);
const gpu = await open();
if (typeof gpu === "string") report({ type: "ended", problem: gpu });
else {
  keep(gpu);
  await runMatrix(gpu, async (name) => new Uint8Array(await readFile(join(files, name))), JSON.parse(asked), report);
}
process.exit();
