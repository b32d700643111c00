// The laws of physics-informed networks, on whichever engine: PyTorch's losses and gradients.
import { expect, it } from "vitest";
import { pinnCase, readPinns } from "../src/lab/pinns.ts";
import type { Engine } from "../src/train/engine.ts";
import { golden } from "./golden.ts";

const recorded = readPinns(golden<{ readonly pinns: unknown }>("curvature.json").pinns);

export function pinnLaws(engine: Engine): void {
  it.each(recorded)("curvature.json: $id", async (entry) => {
    const result = await pinnCase(entry, engine);
    expect(result).toEqual({ id: entry.id, ok: true, worst: expect.any(Number) });
  });
}
