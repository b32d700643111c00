// Every public function, of all entries, with arguments that nobody thought of: each call works or ends in an error of ours.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sgd } from "../../src/rules/sgd.ts";
import { type Call, complaints, hostile, methodComplaints } from "../hostile.ts";
import { library as fallline, publicFunctions } from "../library.ts";

/** A call that is right, and would open a device. */
const opens = (name: string, [features]: readonly unknown[]) =>
  name === "requestNodeDevice" &&
  (features === undefined || (Array.isArray(features) && features.every((each) => typeof each === "string")));

const tensors = { w: [2], "b.bias": [1, 2] };
const model = { layers: [2, 2] };
const made = fallline.createModel(model);
const data = fallline.datasets.fromArrays({ inputs: [0, 1, 1, 0], labels: [1, 0] });
const optimizer = fallline.createCpuOptimizer(fallline.initialTensors(made), { rule: sgd });
const objective = fallline.createCpuObjective(optimizer, made, { data, batch: 2 });
const engine = fallline.cpuEngine();
const job = { engine, model, data, optimizer: { rule: sgd, lr: 0.1 }, batch: 1, steps: 1 };

/** What some function takes. */
const rights: readonly unknown[] = [
  ...[tensors, model, made, data, optimizer, objective, engine, job, { rule: sgd }, { rule: "adamw", lr: 0.1 }],
  ...[Uint32Array.of(0, 1), Float32Array.of(1, 2), new Uint8Array(40), [1, 2], [[1], [2]], { lr: [0.1, 0.2] }],
  ...["a,b\r1,2\r3,4", "lr", "params", '{"type":"cosine"}', 1, 2, 0.5, true, new AbortController().signal],
];
const right = fc.constantFrom(...rights);

const junk = fc.oneof(
  fc.constantFrom(...hostile),
  fc.anything({
    ...{ maxDepth: 2, maxKeys: 3, withBigInt: true, withDate: true, withMap: true, withSet: true },
    ...{ withTypedArray: true, withNullPrototype: true, withObjectString: true, withSparseArray: true },
  }),
);

/** The same with a field that is of any kind. `steps` stays, or a run might never end. */
const spoilt = fc
  .constantFrom<object>(
    tensors,
    model,
    data,
    job,
    { rule: sgd, lr: 0.1, groups: [{ params: "w" }] },
    { lr: [0.1, 0.2] },
  )
  .chain((whole) => {
    const fields = Object.keys(whole).filter((field) => field !== "steps");
    return fc.tuple(fc.constantFrom(...fields), junk).map(([field, value]) => ({ ...whole, [field]: value }));
  });

/** The options that a function's error names where it is given an unknown one. */
async function optionsOf(call: Call, opening: readonly unknown[]): Promise<readonly string[]> {
  try {
    await call(...opening, { zzz: 1 });
    return [];
  } catch (error) {
    return /(?:the options are|must be an object with) ([\w, ]+)/.exec(String(error))?.[1]?.split(", ") ?? [];
  }
}

/** Objects with some of these options, each of any kind. */
function given(options: readonly string[]): fc.Arbitrary<unknown> {
  if (options.length === 0) return junk;
  const pair = fc.tuple(fc.constantFrom(...options), fc.oneof(junk, right));
  return fc.array(pair, { minLength: 1, maxLength: 3 }).map((pairs) => Object.fromEntries(pairs));
}

describe("arguments of every kind in every place", () => {
  it.each([...publicFunctions.keys()])("of %s", async (name) => {
    const call = publicFunctions.get(name) as Call;
    const sampled = (calls: fc.Arbitrary<readonly unknown[]>, numRuns: number) =>
      fc.sample(calls, { seed: 1, numRuns });
    const argument = fc.oneof(right, junk, spoilt, given(await optionsOf(call, [])));
    const calls = sampled(fc.array(argument, { maxLength: 4 }), 40);
    for (const first of rights) {
      const options = await optionsOf(call, [first]);
      if (options.length > 0) calls.push(...sampled(fc.tuple(fc.constant(first), given(options)), 10));
    }
    const wrong = calls.filter((given) => !opens(name, given));
    expect(wrong.length).toBeGreaterThan(20);
    expect(await complaints(name, call, wrong)).toEqual([]);
  });

  it("of the methods of random numbers", async () => {
    expect(await methodComplaints("random", new fallline.Random(1))).toEqual([]);
  });
});
