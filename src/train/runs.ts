// `runs.*`: reads and compares the files of runs.
export { diffCurves, diffFields } from "./diff.ts";
export { decodeRunCheckpoint as decodeCheckpoint } from "./run_checkpoint.ts";
export { readRunConfig as readConfig } from "./run_config.ts";
