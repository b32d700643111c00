// `landscapes.*`: the function of every landscape, and what makes one of its config.
export { beale } from "./beale.ts";
export { himmelblau } from "./himmelblau.ts";
export { createLandscape as create, landscapeTypes as types } from "./index.ts";
export { logisticMap } from "./logistic_map.ts";
export { quadratic } from "./quadratic.ts";
export { quartic } from "./quartic.ts";
export { rastrigin } from "./rastrigin.ts";
export { rosenbrock } from "./rosenbrock.ts";
export { saddle } from "./saddle.ts";
