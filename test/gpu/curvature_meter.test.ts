// The sharpness meter of a run on the GPU: its laws, and that a run without one costs no dispatch more.
import { expect, it } from "vitest";
import { sgd } from "../../src/rules/sgd.ts";
import { webgpuEngine } from "../../src/train/engine.ts";
import { type TrainResult, train } from "../../src/train/train.ts";
import { curvatureLaws } from "../curvature_meter.ts";
import { data } from "../training.ts";
import { countingDevice } from "./counting.ts";
import { device } from "./setup.ts";

curvatureLaws(async () => ({ engine: webgpuEngine(device) }));

it("costs no dispatch where it is off or not due", async () => {
  const { device: counted, count } = countingDevice();
  const engine = webgpuEngine(counted);
  const dispatchesOf = async (steps: number, curvature: { readonly every: number } | null) => {
    const model = { layers: [4, 8, 3] };
    const made: TrainResult[] = [];
    const { dispatches } = await count(async () => {
      made.push(await train({ engine, model, optimizer: sgd(), batch: 8, steps, data, curvature }));
    });
    return { dispatches, run: made[0]! };
  };
  // What a device is asked once.
  await dispatchesOf(1, null);
  const eight = await dispatchesOf(8, null);
  // One that is never due makes no step dearer either.
  const late = await dispatchesOf(8, { every: 9 });
  expect(late.dispatches).toBe(eight.dispatches);
  const on = await dispatchesOf(8, { every: 4 });
  expect(on.run.curvature).toHaveLength(2);
  expect(on.dispatches).toBeGreaterThan(eight.dispatches);
  expect(on.run.losses).toEqual(eight.run.losses);
});
