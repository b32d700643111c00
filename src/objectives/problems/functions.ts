// `problems.*`: the function of every problem, and `define`, which makes a custom one.
export { poisson } from "./poisson.ts";
export { defineProblem as define } from "./problem.ts";
