// `lab.*`: the experiments, and what runs one.
export { experiments } from "./index.ts";
export { runExperiment as run } from "./run.ts";
