// The public face, for tests that go over all of it: every entry's values, and every function under its name, of namespaces
// with theirs before it ("datasets.fromArrays").
import * as bench from "../bench/index.ts";
import * as core from "../src/index.ts";
import * as node from "../src/node.ts";
import * as training from "../src/training.ts";

export const library = { ...core, ...training, ...bench, ...node };

const namespaces = [
  ...(["curvature", "datasets", "kernels", "lab", "landscapes", "modifiers"] as const),
  ...(["problems", "runs", "schedules", "stages", "tuning"] as const),
];

const values: readonly (readonly [string, unknown])[] = [
  ...Object.entries(library),
  ...namespaces.flatMap((name) =>
    Object.entries(library[name]).map(([member, value]) => [`${name}.${member}`, value] as const),
  ),
];

/** By name. */
export const publicFunctions: ReadonlyMap<string, (...given: never) => unknown> = new Map(
  values.flatMap(([name, value]) =>
    typeof value === "function" ? [[name, value as (...given: never) => unknown] as const] : [],
  ),
);
