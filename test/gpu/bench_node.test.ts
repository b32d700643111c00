// `npm run bench -- --node`: without a browser the page's cases run on Dawn, peers too, with a result like the page's.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { Result } from "../../bench/suite.ts";

const run = promisify(execFile);

it("runs every engine in Node, whose answers agree with the reference's", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fallline-"));
  const file = join(folder, "result.json");
  try {
    const words = ["--node", "--quick", "--filter", "train 64-32-10 b16", "--rounds", "1", "--json", file];
    const { stdout } = await run(process.execPath, ["scripts/run.mjs", "bench/run.ts", ...words]);
    expect(stdout).toContain("gradient: train 64-32-10 b16");
    const result = JSON.parse(await readFile(file, "utf8")) as Result;
    expect(result).toMatchObject({ format: "fallline-bench/1", quick: true, adapter: { vendor: expect.any(String) } });
    expect(result.browser).toBe(`Node ${process.versions.node} (Dawn)`);
    expect(result.rows.map(({ engine, agrees, error }) => [engine, agrees, error])).toEqual(
      ["fallline", "tfjs", "jaxjs", "plain", "reference"].map((engine) => [engine, true, undefined]),
    );
    for (const { ms } of result.rows) expect(ms).toBeGreaterThan(0);
    expect(result.rows[0]).toMatchObject({ dispatches: 9, passes: 1, submits: 1, bindGroups: 0 });
  } finally {
    await rm(folder, { recursive: true });
  }
}, 180_000);
