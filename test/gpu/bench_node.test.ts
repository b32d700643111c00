// `npm run bench -- --node`: without a browser the page's cases run on Dawn, peers too, with a result like the page's.
import { expect, it } from "vitest";
import { measure } from "../../bench/run.ts";
import { atEndOfFile } from "./setup.ts";

for (const name of ["navigator", "require"]) {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  atEndOfFile(() => {
    if (before) Object.defineProperty(globalThis, name, before);
    else Reflect.deleteProperty(globalThis, name);
  });
}

it("runs every engine in Node, whose answers agree with the reference's", async () => {
  const result = await measure({ node: true, quick: true, filter: "train 64-32-10 b16", rounds: 1 });
  expect(result).toMatchObject({ format: "fallline-bench/1", quick: true, adapter: { vendor: expect.any(String) } });
  expect(result.browser).toBe(`Node ${process.versions.node} (Dawn)`);
  expect(result.rows.map(({ engine, agrees, error }) => [engine, agrees, error])).toEqual(
    ["fallline", "tfjs", "jaxjs", "plain", "reference"].map((engine) => [engine, true, undefined]),
  );
  for (const { ms } of result.rows) expect(ms).toBeGreaterThan(0);
  expect(result.rows[0]).toMatchObject({ dispatches: 9, passes: 1, submits: 1, bindGroups: 0 });
}, 180_000);
