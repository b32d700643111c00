// Instruments of curvature on the GPU.
import { describe, expect, it } from "vitest";
import { webgpuEngine } from "../../src/train/engine.ts";
import { curvatureLaws } from "../curvature.ts";
import { device, uncapturedErrors } from "./setup.ts";

describe("curvature on the GPU", () => {
  curvatureLaws(webgpuEngine(device), { steps: 51 });

  it("leaves no error behind", async () => {
    expect(await uncapturedErrors()).toEqual([]);
  });
});
