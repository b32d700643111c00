// `stages.*`: the stages for rules that need more than their own update.
export { factoredStage as factored } from "./factored.ts";
export { orthogonaliseStage as orthogonalise } from "./orthogonalise.ts";
export { reductionStage as reduction } from "./reduction.ts";
