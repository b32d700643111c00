// `kernels.*`: which shapes of kernels a device runs fastest, measured, pinned and kept.
export { clear, keepChoices as keep } from "../gpu/choices.ts";
export { shapeNames as updateShapes } from "../gpu/shapes.ts";
export { choices, pin } from "./choices.ts";
export { perceptronProducts, tune, tuneUpdate } from "./tuner.ts";
export { variantNames as variants } from "./variants.ts";
