// `problems.*`: the function of every problem, and what defines one of your own.
export { poisson } from "./poisson.ts";
export { defineProblem as define } from "./problem.ts";
