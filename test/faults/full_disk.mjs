// Loaded before the command line (node --import): from the FULL_AFTER-th write below the folder FULL_IN on, the disk is full.
// How many writes there were is written to the file FULL_COUNT when the process ends.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve, sep } from "node:path";

const after = Number(process.env.FULL_AFTER);
const folder = resolve(process.env.FULL_IN ?? ".");
let writes = 0;

/** @param {unknown} path */
const isInside = (path) => typeof path === "string" && `${resolve(path)}${sep}`.startsWith(`${folder}${sep}`);

/** Descriptors of files below the folder. */
const inside = new Set();

function write() {
  if (++writes >= after) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
}

const { openSync, closeSync, writeFileSync, writeSync, mkdirSync, symlinkSync, linkSync } = fs;
Object.assign(fs, {
  /** @param {Parameters<typeof openSync>} given */
  openSync(...given) {
    const [path, flags] = given;
    if (isInside(path) && flags !== "r" && flags !== undefined) write();
    const file = openSync(...given);
    if (isInside(path)) inside.add(file);
    return file;
  },
  /** @param {number} file */
  closeSync(file) {
    inside.delete(file);
    closeSync(file);
  },
  /** @param {Parameters<typeof writeFileSync>} given */
  writeFileSync(...given) {
    if (inside.has(given[0]) || isInside(given[0])) write();
    writeFileSync(...given);
  },
  /** @param {Parameters<typeof writeSync>} given */
  writeSync(...given) {
    if (inside.has(given[0])) write();
    return writeSync(...given);
  },
  /** @param {Parameters<typeof mkdirSync>} given */
  mkdirSync(...given) {
    if (isInside(given[0])) write();
    return mkdirSync(...given);
  },
  /** @param {Parameters<typeof symlinkSync>} given */
  symlinkSync(...given) {
    if (isInside(given[1])) write();
    symlinkSync(...given);
  },
  /** @param {Parameters<typeof linkSync>} given */
  linkSync(...given) {
    if (isInside(given[1])) write();
    linkSync(...given);
  },
});
syncBuiltinESMExports();
process.on("exit", () => writeFileSync(process.env.FULL_COUNT ?? "/dev/null", String(writes)));
