// `lab.*`: the experiments, and the function that runs one.
export { experiments } from "./index.ts";
export { runExperiment as run } from "./run.ts";
