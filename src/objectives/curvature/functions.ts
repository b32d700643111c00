// The functions that measure the curvature of any objective, as one namespace.

export { density } from "./density.ts";
export { edge } from "./edge.ts";
export { createMeter, eigenvalues, sharpness } from "./extremes.ts";
export { trace } from "./trace.ts";
