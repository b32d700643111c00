// Suite "size": what a page must load, of the library and of its peers. Each is a module to bundle; bench/sizes.ts weighs it.
import type { Case } from "../suite.ts";

export interface SizeCase extends Pick<Case, "suite" | "name" | "tier" | "n" | "tensors"> {
  /** By engine, a module that imports what the case is about. `fallline` is the library as it is published. */
  readonly modules: Readonly<Record<string, string>>;
}

const common = { suite: "size", tier: "quick", n: 0, tensors: 0 } as const;

export const sizeCases: readonly SizeCase[] = [
  { ...common, name: "library, all of it", modules: { fallline: `export * from "fallline";` } },
  {
    ...common,
    name: "library, AdamW alone",
    modules: {
      fallline: `export { adamw, createOptimizer, requestDevice } from "fallline";`,
      // The backend registers itself; an optimizer is a property of `train`.
      tfjs: `import "@tensorflow/tfjs-backend-webgpu";
        import { setBackend, tensor, train, variable } from "@tensorflow/tfjs-core";
        export const adam = train.adam;
        export { setBackend, tensor, variable };`,
      // It has no optimizer: AdamW is written with it.
      jaxjs: `export { blockUntilReady, defaultDevice, init, jit, numpy, tree } from "@jax-js/jax";`,
    },
  },
];
