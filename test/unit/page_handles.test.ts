// The points of a course that one takes hold of: they lie on its curve, and moving one changes what it is named after.
import { expect, it } from "vitest";
import {
  type Block,
  create,
  exampleOf,
  firstBlocks,
  mostSteps,
  readBlocks,
  scheduleTypes,
} from "../../src/app/page/views/schedule_blocks.ts";
import { handlesOf } from "../../src/app/page/views/schedule_handles.ts";

const named = (blocks: readonly Block[], label: string) => handlesOf(blocks).find((each) => each.label === label)!;

it.each(scheduleTypes)("has points on the curve of %s that stay there, and are where they are put", (type) => {
  const blocks = [exampleOf("linear", 50), exampleOf(type, 250)];
  const handles = handlesOf(blocks).filter(({ block }) => block === 1);
  expect(handles.length).toBeGreaterThan(0);
  const schedule = create(blocks[1]!.schedule, "block 2");
  for (const { label, x, y, movesX, movesY, moved } of handles) {
    const own = /: end$/.test(label) && !movesY ? undefined : schedule.at(x - 50);
    if (own !== undefined) expect(y).toBeCloseTo(own, 12);
    // Where it is, nothing changes but the digits of a rate.
    const same = named(moved(x, y), label);
    expect(same.x).toBe(x);
    if (movesY) expect(same.y).toBeCloseTo(y, 4);
    // Elsewhere it is there, and the blocks can be read.
    const elsewhere = moved(movesX ? x + 7 : x, movesY ? 2 * y + 0.01 : y);
    expect(readBlocks(JSON.stringify(elsewhere))).toHaveLength(2);
    const found = named(elsewhere, label);
    if (movesX) expect(Math.abs(found.x - (x + 7))).toBeLessThanOrEqual(1);
    else expect(found.x).toBe(x);
    if (movesY) expect(found.y).toBeCloseTo(2 * y + 0.01, 2);
  }
});

it("moves a warm-up's end with the block it ends, and the following blocks with it", () => {
  const end = named(firstBlocks, "block 1: end");
  expect([end.x, end.y, end.movesX, end.movesY]).toEqual([100, 0.1, true, true]);
  expect(end.moved(140, 0.2)).toEqual([
    { schedule: { type: "linear", start: 0, end: 0.2, steps: 140 }, steps: 140 },
    ...firstBlocks.slice(1),
  ]);
  // Restarts last as long as before; their block may end anywhere.
  const restart = named(firstBlocks, "block 3: first restart");
  expect(restart.moved(560, 9)[2]).toMatchObject({ schedule: { base: 0.05, period: 60 }, steps: 500 });
  expect(named(firstBlocks, "block 3: end").moved(700.4, 9)[2]).toMatchObject({ steps: 200 });
});

it("keeps within what a course can be: rates from 0 on, steps in order and in range", () => {
  expect(named(firstBlocks, "block 1: start").moved(-5, -1)[0]).toMatchObject({ schedule: { start: 0 } });
  expect(named(firstBlocks, "block 1: end").moved(-50, 0.1)[0]).toMatchObject({ steps: 1, schedule: { steps: 1 } });
  expect(named(firstBlocks, "block 1: end").moved(1e9, 0.1)[0]).toMatchObject({ steps: mostSteps });
  const points = [{ schedule: { type: "piecewise", points: [[0, 0], [10, 1], [20, 0]] }, steps: 20 }]; // biome-ignore format: a table
  expect(named(points, "block 1: point 2").moved(99, 0.5)[0]).toMatchObject({
    schedule: { points: [[0, 0], [19, 0.5], [20, 0]] }, // biome-ignore format: a table
  });
});

it("moves a constant that is a bare number", () => {
  const value = named([{ schedule: 0.1, steps: 10 }], "block 1: value");
  expect(value.moved(3, 0.25)).toEqual([{ schedule: { type: "constant", value: 0.25 }, steps: 10 }]);
});
