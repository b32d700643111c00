// Suite "size": the bytes that a page loads, for the library and for its peers. Each is a module to bundle; bench/sizes.ts weighs it.
import type { Case } from "../suite.ts";

export interface SizeCase extends Pick<Case, "suite" | "name" | "tier" | "n" | "tensors"> {
  /** By engine, a module that imports the subject of the case. `fallline` is the published library. */
  readonly modules: Readonly<Record<"fallline" | string, string>>;
  /** The library's limit, in bytes gzipped; a test checks it. */
  readonly limit: number;
}

const common = { suite: "size", tier: "quick", n: 0, tensors: 0 } as const;

export const sizeCases: readonly SizeCase[] = [
  {
    ...common,
    name: "library, AdamW alone",
    limit: 31_650,
    modules: {
      fallline: `import { adamw, createOptimizer, requestDevice } from "fallline";
        export async function start(tensors) {
          const groups = [{ params: "*.bias", weightDecay: 0 }];
          const lr = (step) => 1e-3 / (1 + step / 1000);
          return createOptimizer(await requestDevice(), tensors, adamw({ lr, groups }));
        }`,
      // The backend registers itself; an optimizer is a property of `train`.
      tfjs: `import "@tensorflow/tfjs-backend-webgpu";
        import { setBackend, tensor, train, variable } from "@tensorflow/tfjs-core";
        export const adam = train.adam;
        export { setBackend, tensor, variable };`,
      // It has no optimizer: AdamW is written by hand.
      jaxjs: `export { blockUntilReady, defaultDevice, init, jit, numpy, tree } from "@jax-js/jax";`,
    },
  },
  {
    ...common,
    name: "library, AdamW with clipping, skipping and checkpoints",
    limit: 43_200,
    modules: {
      fallline: `import { adamw, createOptimizer, loadCheckpoint, requestDevice, saveCheckpoint } from "fallline";
        import { clipGlobalNorm, skipNonFinite } from "fallline/modifiers";
        export { loadCheckpoint, saveCheckpoint };
        export async function start(tensors) {
          const groups = [{ params: "*.bias", weightDecay: 0 }];
          const lr = (step) => 1e-3 / (1 + step / 1000);
          const its = [clipGlobalNorm({ maxNorm: 1 }), skipNonFinite()];
          return createOptimizer(await requestDevice(), tensors, adamw({ lr, groups, modifiers: its }));
        }`,
    },
  },
  {
    ...common,
    name: "library, all of it",
    limit: 227_600,
    modules: { fallline: `export * from "fallline"; export * from "fallline/train"; export * from "fallline/bench";` },
  },
];
