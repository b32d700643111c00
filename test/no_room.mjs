// Loaded before the command line (node --import): there is room for files of at most ROOM bytes.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const room = Number(process.env.ROOM);
const { writeFileSync } = fs;
/** @param {Parameters<typeof writeFileSync>} given */
fs.writeFileSync = (...given) => {
  if (given[1].length > room) {
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  }
  writeFileSync(...given);
};
syncBuiltinESMExports();
