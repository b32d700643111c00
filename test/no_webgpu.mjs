// Preloaded (`node --import`) to play a machine without WebGPU: npm `webgpu` cannot be loaded.
import { register } from "node:module";

const hooks = `export function resolve(name, context, next) {
  if (name === "webgpu") throw new Error("hidden by the test");
  return next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
