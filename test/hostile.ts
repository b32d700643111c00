// Arguments of the wrong kind, and what comes of them: an error of ours, or a result; never a bare TypeError.
import { FalllineError, show } from "../src/base/errors.ts";

export const hostile: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  0.1,
  Number.NaN,
  1e12,
  5n,
  Symbol("s"),
  "",
  "x",
  "__proto__",
  [],
  [null],
  [[]],
  {},
  { type: "x" },
  { type: {} },
  { toString: 1, valueOf: 2 },
  { length: 1 },
  Object.create(null),
  JSON.parse('{"__proto__":{"a":1}}'),
  JSON.parse("[".repeat(5000) + "]".repeat(5000)),
  JSON.parse(`${'{"type":"product","schedules":['.repeat(3000)}1${"]}".repeat(3000)}`),
  new Map([["lr", 1]]),
  new Float32Array(2),
  new Uint8Array(9),
  new Date(0),
  () => undefined,
  Promise.resolve({}),
];

export type Call = (...given: readonly unknown[]) => unknown;

/** What came of a call: nothing where it went well or was refused by an error of ours. */
async function complaint(name: string, call: Call, given: readonly unknown[]): Promise<string | undefined> {
  try {
    await call(...given);
    return undefined;
  } catch (error) {
    if (error instanceof FalllineError && !/\n/.test(error.message)) return undefined;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${name}(${given.map(show).join(", ")}): ${stack.split("\n").slice(0, 3).join(" ")}`;
  }
}

export async function complaints(name: string, call: Call, all: readonly (readonly unknown[])[]): Promise<string[]> {
  const found = await Promise.all(all.map((given) => complaint(name, call, given)));
  return found.filter((text) => text !== undefined);
}

/** Names of all functions of an object, of its class too. */
function functionsOf(object: object): readonly string[] {
  const names = [object, Object.getPrototypeOf(object)].flatMap((holder) => Object.getOwnPropertyNames(holder));
  const isCall = (name: string) => name !== "constructor" && typeof Reflect.get(object, name) === "function";
  return [...new Set(names)].filter((name) => isCall(name) && !(name in Object.prototype));
}

/** Kernels of landscapes take what is given to them, point after point. */
const unchecked = ["term", "slope", "curvature"];

/** What comes of every method, with every hostile value first, and behind arguments of the right kind. */
export async function methodComplaints(what: string, subject: object): Promise<string[]> {
  const found: string[] = [];
  for (const method of functionsOf(subject)) {
    if (method === "destroy" || unchecked.includes(method)) continue;
    const call: Call = (...given) => Reflect.apply(Reflect.get(subject, method), subject, given);
    const lead: readonly (readonly unknown[])[] = [[], ["params"], [Uint32Array.of(0)], ["lr"], [{ lr: 0.1 }]];
    const given = lead.flatMap((first) => hostile.map((value) => [...first, value]));
    found.push(...(await complaints(`${what}.${method}`, call, given)));
  }
  return found;
}
