// `landscapes.*`: the function of every landscape, and `create`, which makes a landscape from its config.
export { beale } from "./beale.ts";
export { himmelblau } from "./himmelblau.ts";
export { createLandscape as create, landscapeTypes as types } from "./index.ts";
export { type LogisticMapOptions, logisticMap } from "./logistic_map.ts";
export { type QuadraticOptions, quadratic } from "./quadratic.ts";
export { type QuarticOptions, quartic } from "./quartic.ts";
export { type RastriginOptions, rastrigin } from "./rastrigin.ts";
export { type RosenbrockOptions, rosenbrock } from "./rosenbrock.ts";
export { type SaddleOptions, saddle } from "./saddle.ts";
