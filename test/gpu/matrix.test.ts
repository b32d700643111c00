// What is the same to the bit everywhere: whole numbers through dropout, products and sums, on the device as by the CPU reference.
import { expect, it } from "vitest";
import { exactCase, runCase } from "../matrix/cases.ts";
import { device } from "./setup.ts";

it("gives the CPU reference's bits where nothing is rounded", async () => {
  const ours = await runCase(exactCase, device);
  expect(ours.problem).toBeUndefined();
  expect(ours.bits).toMatch(/^[\da-f]{8}$/);
  expect(ours).toEqual(await runCase(exactCase, undefined));
});
