// `runs.*`: the files that a run leaves, read and compared.
export { diffCurves, diffFields } from "./diff.ts";
export { decodeRunCheckpoint as decodeCheckpoint } from "./run_checkpoint.ts";
export { readRunConfig as readConfig } from "./run_config.ts";
