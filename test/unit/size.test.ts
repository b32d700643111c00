// What the built library weighs in a page, by what is used of it: within the limits of the suite "size", with both bundlers.
import { expect, it } from "vitest";
import { bundleWithEsbuild, bundleWithVite, gzipped } from "../../bench/sizes.ts";
import { sizeCases } from "../../bench/suites/size.ts";

it.each(sizeCases)("$name is at most $limit bytes, gzipped", async ({ limit, modules }) => {
  const code = await bundleWithVite(modules.fallline!);
  expect(gzipped(code)).toBeLessThanOrEqual(limit);
  const { code: other, modules: parts } = await bundleWithEsbuild(modules.fallline!);
  expect(gzipped(other)).toBeLessThanOrEqual(limit);
  // The WGSL in it is the build's, not that of shaders/, which has comments.
  expect(parts.some(([path]) => path.endsWith("update.wgsl.js"))).toBe(true);
});
