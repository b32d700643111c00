// The public face, for tests that go over all of it: every entry's values, and every function under its name, of namespaces
// with theirs before it ("datasets.fromArrays"); a class is the function that makes one of it.
import * as bench from "../bench/index.ts";
import * as core from "../src/index.ts";
import * as node from "../src/node.ts";
import * as tfjs from "../src/tfjs.ts";
import * as training from "../src/training.ts";

export const library = { ...core, ...training, ...bench, ...node, ...tfjs };

/** Runs an example of a document that imports from the library alone; what it prints, line by line. */
export async function runExample(example: string): Promise<readonly string[]> {
  const script = example.replace(/^import (\{.*\}) from "fallline[a-z/]*";$/gm, "const $1 = library;");
  const printed: string[] = [];
  const log = (...parts: unknown[]) =>
    printed.push(parts.map((part) => (Array.isArray(part) ? `[ ${part.join(", ")} ]` : String(part))).join(" "));
  await new Function("library", "console", `return (async () => {${script}})();`)(library, { log });
  return printed;
}

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

type Call = (...given: never) => unknown;

const isClass = (value: object) => /^class\b/.test(Function.prototype.toString.call(value));

/** By name. */
export const publicFunctions: ReadonlyMap<string, Call> = new Map(
  values.flatMap(([name, value]) => {
    if (typeof value !== "function") return [];
    const call = isClass(value) ? (...given: readonly unknown[]) => Reflect.construct(value, given) : (value as Call);
    return [[name, call] as const];
  }),
);
