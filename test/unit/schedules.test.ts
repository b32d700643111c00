// Every schedule against the values of torch and Optax, and its bad input.
import { describe, expect, it } from "vitest";
import type { ScheduleConfig } from "../../src/schedule.ts";
import { constant } from "../../src/schedules/constant.ts";
import { cosine } from "../../src/schedules/cosine.ts";
import { createSchedule, scheduleTypes } from "../../src/schedules/index.ts";
import { linear } from "../../src/schedules/linear.ts";
import { sequential } from "../../src/schedules/sequential.ts";
import { golden } from "../golden.ts";

const { cases } = golden<{ cases: { id: string; schedule: ScheduleConfig; values: number[] }[] }>("schedules.json");
const known = cases.filter(({ schedule }) => scheduleTypes.includes(schedule.type));

describe("schedules.json", () => {
  it("covers every type of schedule", () => {
    expect(new Set(known.map(({ schedule }) => schedule.type))).toEqual(new Set(scheduleTypes));
  });

  it.each(known)("$id", ({ schedule, values }) => {
    const { at, config } = createSchedule(schedule);
    const again = createSchedule(JSON.parse(JSON.stringify(config)));
    values.forEach((want, step) => {
      expect(Math.abs(at(step) - want)).toBeLessThanOrEqual(1e-9 * Math.abs(want) + 1e-18);
      expect(again.at(step)).toBe(at(step));
    });
  });
});

describe("after its end a schedule stays where it is", () => {
  it.each([
    [linear({ start: 1, end: 0.1, steps: 7 }), 0.1],
    [cosine({ base: 1, min: 0.25, steps: 7 }), 0.25],
    [cosine({ base: 1, steps: 7 }), 0],
  ])("%j", (config, end) => {
    const { at } = createSchedule(config);
    expect(at(7)).toBeCloseTo(end, 15);
    expect(at(1_000_000)).toBe(at(7));
  });
});

describe("function forms", () => {
  it("are the JSON configs", () => {
    expect(constant({ value: 2 })).toEqual({ type: "constant", value: 2 });
    expect(
      sequential({ milestones: [3], schedules: [constant({ value: 1 }), linear({ start: 1, end: 0, steps: 3 })] }),
    ).toEqual({
      type: "sequential",
      milestones: [3],
      schedules: [
        { type: "constant", value: 1 },
        { type: "linear", start: 1, end: 0, steps: 3 },
      ],
    });
  });

  it("may be a closure", () => {
    expect(createSchedule((step) => 1 / (1 + step)).at(3)).toBe(0.25);
  });
});

describe("bad input names the option, the value and what is allowed", () => {
  it.each<[unknown, RegExp]>([
    [
      { type: "zigzag" },
      /lr\.type is "zigzag", which is not a known schedule; known are constant, linear, cosine, seq/,
    ],
    [{ value: 1 }, /lr\.type is missing/],
    [{ type: "constant" }, /lr\.value is missing; it must be a finite number/],
    [{ type: "constant", value: Number.NaN }, /lr\.value is NaN/],
    [{ type: "cosine", base: 1, steps: 0 }, /lr\.steps is 0; it must be a whole number >= 1/],
    [{ type: "cosine", base: 1, steps: 2.5 }, /lr\.steps is 2\.5/],
    [
      { type: "cosine", base: 1, steps: 5, mim: 0 },
      /lr has an unknown option "mim"; the options are type, base, min, steps/,
    ],
    [{ type: "linear", start: 0, steps: 5 }, /lr\.end is missing/],
    [{ type: "sequential", milestones: [], schedules: [] }, /lr\.schedules is \[\]; it must hold at least one/],
    [
      { type: "sequential", milestones: [2], schedules: [{ type: "constant", value: 1 }] },
      /1 schedules need 0 milestones/,
    ],
    [
      { type: "sequential", milestones: [5, 5], schedules: Array(3).fill({ type: "constant", value: 1 }) },
      /lr\.milestones is \[5,5\]; they must rise/,
    ],
    [
      {
        type: "sequential",
        milestones: [5],
        schedules: [
          { type: "constant", value: 1 },
          { type: "cosine", base: 1 },
        ],
      },
      /lr\.schedules\[1\]\.steps is missing/,
    ],
    ["fast", /lr is "fast"; it must be a number, a schedule or a function/],
    [null, /lr is null/],
    [Number.POSITIVE_INFINITY, /lr is Infinity; it must be a finite number/],
  ])("%j", (config, message) => {
    expect(() => createSchedule(config as ScheduleConfig, "lr")).toThrow(message);
  });
});
