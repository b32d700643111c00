// What the page composes of schedules: every schedule of the registry begins a block, a composition is the schedule it says, and its
// TypeScript makes the same.
import { expect, it } from "vitest";
import {
  composed,
  create,
  curvesOf,
  exampleOf,
  firstBlocks,
  readBlocks,
  scheduleTypes,
  typescriptOf,
} from "../../src/app/page/views/schedule_blocks.ts";
import * as schedules from "../../src/schedules/functions.ts";

it.each(scheduleTypes)("draws %s as an example", (type) => {
  const block = exampleOf(type, 200);
  expect(readBlocks(JSON.stringify([block]))).toEqual([block]);
  const [steps, values] = curvesOf([block]);
  expect(steps).toHaveLength(201);
  expect(values!.every((value) => value !== null && value >= 0)).toBe(true);
});

it("is the sequence of its blocks, and the same from its JSON", () => {
  const whole = create(composed(firstBlocks), "whole");
  const [steps, ...curves] = curvesOf(firstBlocks);
  for (const [i, step] of steps!.entries()) {
    const here = curves.map((values) => values[i]).filter((value) => value !== null);
    expect(here).toHaveLength(1);
    expect(here[0]).toBe(whole.at(step!));
  }
  expect(readBlocks(JSON.stringify(composed(firstBlocks))).map(({ schedule }) => schedule)).toEqual(
    firstBlocks.map(({ schedule }) => schedule),
  );
});

it.each(scheduleTypes)("writes %s as TypeScript that makes the same", (type) => {
  const { schedule } = exampleOf(type, 200);
  const made = new Function("schedules", `return ${typescriptOf(schedule)}`)(schedules);
  expect(JSON.parse(JSON.stringify(made))).toEqual(
    JSON.parse(JSON.stringify(create(schedule, "it").config), dropDefaults(schedule)),
  );
});

/** Only what was given: the config of a schedule is complete. */
function dropDefaults(given: unknown) {
  const names = new Set<string>();
  JSON.stringify(given, (key, value) => {
    names.add(key);
    return value;
  });
  return (key: string, value: unknown) => (key === "" || names.has(key) ? value : undefined);
}

it.each([
  ["", /^the text is not JSON: /],
  ["[]", /^there are 0 blocks; there must be at least one, and at most 8$/],
  ['{"type":"nosuch"}', /^block 1\.type is "nosuch", which is not a known schedule/],
  [
    '[{"schedule":{"type":"cosine","base":0.1,"steps":5},"steps":0}]',
    /^block 1 has 0 steps; it must have a whole number/,
  ],
  ["[3]", /^block 1 is 3; it must be an object with schedule and steps$/],
  ['{"type":"cosine"}', /base is missing/],
])("refuses %s in one sentence", (text, message) => {
  expect(() => readBlocks(text)).toThrow(message);
});
