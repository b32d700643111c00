// What a program that only trains ships: nothing of checkpoints, which are functions that fall away.
import { build } from "vite";
import { describe, expect, it } from "vitest";

const root = new URL("../..", import.meta.url).pathname;

/** The sources of which a bundle of a source holds anything. */
async function shippedBy(entry: string): Promise<readonly string[]> {
  const built = await build({
    root,
    configFile: false,
    logLevel: "error",
    build: { write: false, minify: false, lib: { entry, formats: ["es"], fileName: "entry" } },
  });
  const [chunk] = (Array.isArray(built) ? built : [built]).flatMap((result) =>
    "output" in result ? result.output : [],
  );
  if (chunk?.type !== "chunk") throw new Error("the build gave no code");
  return Object.entries(chunk.modules)
    .filter(([, { renderedLength }]) => renderedLength > 0)
    .map(([id]) => id.replace(root, ""));
}

const checkpointing = /^src\/.*\b((open_)?checkpoint(_file)?|safetensors|checksum|torch)\.ts$/;

describe("a bundle", () => {
  it.each(["gpu", "cpu"])("of the optimizer in src/engines/%s has no checkpoints", async (engine) => {
    const shipped = await shippedBy(`src/engines/${engine}/optimizer.ts`);
    expect(shipped).toContain("src/optimizer/shell.ts");
    expect(shipped.filter((path) => checkpointing.test(path))).toEqual([]);
  });

  it("of saveCheckpoint has them", async () => {
    const shipped = await shippedBy("src/optimizer/checkpoint.ts");
    expect(shipped.filter((path) => checkpointing.test(path))).toHaveLength(5);
  });
});
