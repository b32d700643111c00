// `kernels.*`: measures, pins and keeps the kernel shapes that a device runs fastest.
export { clear, keepChoices as keep } from "../gpu/kernel_choices.ts";
export { shapeNames as updateShapes } from "../gpu/kernel_shapes.ts";
export { perceptronProducts, tune, tuneUpdate } from "./tuner.ts";
export { choices, pin } from "./variant_choices.ts";
export { variantNames as variants } from "./variants.ts";
