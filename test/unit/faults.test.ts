// What `npm run test:faults` does to files, a little of it: mutants of every format, and every bit of checkpoints.
import { expect, it } from "vitest";
import { bits } from "../faults/bits.ts";
import { formatNames, mutants } from "../faults/formats.ts";
import type { Row } from "../faults/tally.ts";

it.each(formatNames)("mutants of %s are refused or taken, and harm nothing", async (name) => {
  const rows: Row[] = [];
  await mutants(100, (row) => rows.push(row), name);
  expect(rows.map(({ what, tried }) => ({ what, tried }))).toEqual([{ what: `mutants of ${name}`, tried: 100 }]);
  expect(rows.flatMap(({ faults }) => faults)).toEqual([]);
});

it("every bit of a checkpoint counts", async () => {
  const rows: Row[] = [];
  await bits((row) => rows.push(row));
  expect(rows.flatMap(({ faults }) => faults)).toEqual([]);
  expect(rows[0]!.tried).toBeGreaterThan(20_000);
});
