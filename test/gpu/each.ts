// Runs before each file of the ring: errors of the shared device fail the tests that caused them.
import { afterAll, afterEach, expect } from "vitest";
import { endFile, uncapturedErrors } from "./setup.ts";

afterEach(async () => {
  expect(await uncapturedErrors()).toEqual([]);
});
afterAll(endFile);
