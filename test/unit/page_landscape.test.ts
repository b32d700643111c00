// The page's landscape: the minima it marks, where its ways go, what it says of them, how it counts a cloud, and that its WGSL
// is laid out as the host writes it.
import { describe, expect, it } from "vitest";
import { WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { cloudSource, contoursSource } from "../../src/app/page/views/landscape_gpu.ts";
import {
  basinsOf,
  canyon,
  cloudOf,
  endAt,
  endsOf,
  outcomeOf,
  place,
  placeOf,
  racerNames,
  racers,
  racersOf,
  sharesOf,
  someOf,
  stepsOfFrame,
  surfaceNames,
  surfaceOf,
  waysFrom,
} from "../../src/app/page/views/landscape_runs.ts";

const asked = { schedules: ["constant"], times: 1, isStale: () => false } as const;

describe.each(surfaceNames)("%s", (name) => {
  const landscape = surfaceOf(name, 50, 0.4);
  const ends = endsOf(landscape);

  it("has two coordinates, and its minima are where the slope is 0, among them those it lists", () => {
    expect(landscape.dimension).toBe(2);
    expect(ends.length).toBeGreaterThan(0);
    for (const end of ends) {
      for (const slope of landscape.gradient(end)) expect(Math.abs(slope)).toBeLessThan(1e-6);
    }
    for (const [x, y] of landscape.minima())
      expect(ends.some(([u, v]) => Math.hypot(u - x!, v - y!) < 1e-9)).toBe(true);
  });

  it("has WGSL whose entry points and bindings are those that are drawn with", () => {
    const { entry, storage, structs } = new WgslReflect(contoursSource(landscape).code);
    expect(entry.vertex.map((each) => each.name)).toEqual(["corner"]);
    expect(entry.fragment.map((each) => each.name)).toEqual(["line"]);
    expect(storage.map(({ name: each, binding }) => [each, binding])).toEqual([
      ["setting", 0],
      ["contours", 1],
    ]);
    const contours = structs.find((each) => each.name === "Contours")!;
    expect(contours.members.map(({ offset }) => offset)).toEqual([0, 16, 32, 36]);
  });
});

it("finds every hollow: 4 of Himmelblau's, the 121 of Rastrigin's picture, 2 beside the saddle", () => {
  const count = (name: string) => endsOf(surfaceOf(name, 1, 0)).length;
  expect([count("himmelblau"), count("rastrigin"), count("saddle"), count("rosenbrock")]).toEqual([4, 121, 2, 1]);
});

it("lays the cloud's struct out as the host writes it", () => {
  const { structs } = new WgslReflect(cloudSource.code);
  const offsets = (name: string) => structs.find((each) => each.name === name)!.members.map(({ offset }) => offset);
  expect(offsets("Cloud")).toEqual([0, 16, 32, 36, 40, 44, 48, 52, 64]);
  expect(offsets("End")).toEqual([0, 8]);
});

describe("ways", () => {
  it.each(racerNames)("%s goes downhill in a canyon", async (name) => {
    const landscape = surfaceOf(canyon, 10, 0.3);
    const [way] = (await waysFrom({ ...asked, landscape, racers: [{ name }], steps: 60, start: [1, 1] }))!;
    expect(way!.places).toHaveLength(122);
    expect(landscape.value(way!.places.slice(-2))).toBeLessThan(landscape.value([1, 1]));
  });

  it("are exact: sgd at 0.1 on the quartic from (1, 0.5), and twice the rate where all rates are doubled", async () => {
    const landscape = surfaceOf("quartic", 1, 0);
    const options = { ...asked, landscape, racers: [{ name: "sgd", rate: 0.05 }], steps: 1, start: [1, 0.5] } as const;
    for (const times of [1, 2]) {
      const [way] = (await waysFrom({ ...options, times }))!;
      expect(way!.places[2]).toBeCloseTo(1 - 0.05 * times * 4, 6);
      expect(way!.places[3]).toBeCloseTo(0.5 - 0.05 * times * 4 * 0.125, 6);
    }
  });

  it("part in the canyon, where Adam is there long before sgd, and long after it once it is turned", async () => {
    const stepsAt = async (angle: number) => {
      const landscape = surfaceOf(canyon, 100, angle);
      const two = [{ name: "sgd" }, { name: "adam" }];
      const ways = (await waysFrom({ ...asked, landscape, racers: two, steps: 1000, start: [-1.3, 0.6] }))!;
      return ways.map((way) => outcomeOf(way, 1000, landscape, endsOf(landscape)).arrivedAfter ?? 1001);
    };
    const [sgd, adam] = await stepsAt(0);
    const [turnedSgd, turnedAdam] = await stepsAt(0.8);
    expect(adam! * 3).toBeLessThan(sgd!);
    expect(turnedAdam! * 0.7).toBeGreaterThan(turnedSgd!);
  });

  it("end where numbers do, and nobody waits for stale ones", async () => {
    const landscape = surfaceOf("beale", 1, 0);
    const options = { ...asked, landscape, racers: [{ name: "sgd", rate: 1 }], steps: 50, start: [4, 4] } as const;
    const [way] = (await waysFrom(options))!;
    expect(way!.places.length).toBeLessThan(102);
    expect(outcomeOf(way!, 50, landscape, endsOf(landscape)).text).toMatch(/^diverged: not finite after step \d+$/);
    expect(await waysFrom({ ...options, isStale: () => true })).toBeUndefined();
  });
});

describe("a cloud", () => {
  it.each([4, 7, 2500, 100_000])("of %d points covers its box once", (count) => {
    const { columns, rows, starts } = cloudOf(
      [
        [-1, 1],
        [0, 4],
      ],
      count,
    );
    expect(starts).toHaveLength(2 * count);
    expect(columns * rows).toBeGreaterThanOrEqual(count);
    expect(columns * (rows - 1)).toBeLessThan(count);
    expect(starts.every((value, i) => (i % 2 === 0 ? Math.abs(value) < 1 : value > 0 && value < 4))).toBe(true);
  });

  it("is counted by where it is: arrived, on the way, gone", () => {
    const basins = basinsOf(surfaceOf("himmelblau", 1, 0));
    const shares = sharesOf(basins, [3, 2, 3, 2.01, 3.5, -1.5, 0, 0, 50, 0, Number.NaN, 1, 1e30, 1, 3.58, -1.85]);
    expect(endAt(basins, 3, 2)).toBe(basins.ends.findIndex(([x, y]) => x === 3 && y === 2));
    expect(shares.arrived[endAt(basins, 3, 2)!]).toBe(0.25);
    expect(shares.arrived[endAt(basins, 3.58, -1.85)!]).toBe(0.125);
    expect(shares.onTheWay).toBe(0.25);
    expect(shares.gone).toBe(0.375);
  });

  it("makes as many steps a frame as fit", () => {
    expect(stepsOfFrame(4, 4, 16, 100)).toBe(8);
    expect(stepsOfFrame(4, 16, 16, 100)).toBe(4);
    expect(stepsOfFrame(4, 64, 16, 100)).toBe(1);
    expect(stepsOfFrame(4, 0, 16, 6)).toBe(6);
    expect(stepsOfFrame(1, 1000, 16, 6)).toBe(1);
  });
});

describe("what the address says", () => {
  const rules = racers("rules", "sgd");
  it("is read: rules with and without a rate, some words, a place", () => {
    expect(racersOf(rules.read("rules", "sgd:0.5,adam") as string)).toEqual([
      { name: "sgd", rate: 0.5 },
      { name: "adam" },
    ]);
    expect(someOf("", ["a", "b"], "a").read("words", "b,a")).toBe("b,a");
    const landscape = surfaceOf("saddle", 1, 0);
    expect(placeOf(place("").read("start", "1,-2e-3") as string, landscape)).toEqual([1, -0.002]);
    expect(placeOf("", landscape)).toEqual([...landscape.start()]);
  });

  it.each(["", "nosuch", "sgd,sgd", "sgd:0", "sgd:x", "sgd:1e9", "sgd:", racerNames.slice(0, 9).join(","), 3])(
    "is refused where it says no rules: %s",
    (value) => {
      expect(() => rules.read("rules", value)).toThrow(/^rules (is|names|gives) .+;? .*(must be|known are)/);
    },
  );

  it.each(["1", "1,2,3", "a,b", "1e7,0", ",", "Infinity,0"])("is refused where it says no place: %s", (value) => {
    expect(() => place("").read("start", value)).toThrow(`start is "${value}"; it must be two numbers`);
  });

  it.each(["", "c", "a,a", "a,"])("is refused where it says no words of the list: %s", (value) => {
    expect(() => someOf("", ["a", "b"], "a").read("words", value)).toThrow(
      `words is "${value}"; it must be some of a, b`,
    );
  });
});
