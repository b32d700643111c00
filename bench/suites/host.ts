// Suites "host" and "read": the host's own time for a step, and the delay until it has data requested from the device.
import { update as fallline, read as falllineRead } from "../engines/fallline.ts";
import { read as map } from "../engines/map.ts";
import { update as naive } from "../engines/naive.ts";
import type { Wanted } from "../readings.ts";
import type { Case, Contender, PassRunner, Runner, Tier } from "../suite.ts";
import { expectedOf, normOf, startOf, type UpdateWork, updateWork } from "../update.ts";

/** Steps encoded at once; clocks in browsers tick every 0.1 ms. */
const encodings = 200;

/**
 * The runner, with another time: how long the host takes to put a step into a pass. The pass is dropped: running it on the device
 * adds nothing to that time, and an emulated device would take the host's own cores.
 */
function hostTimed({ gpuTime: _, kernels: __, ...runner }: PassRunner): Runner {
  const { device } = runner;
  return {
    ...runner,
    note: "host time of encode alone",
    async time() {
      const pass = device.createCommandEncoder().beginComputePass();
      const start = performance.now();
      for (let i = 0; i < encodings; i++) runner.encode(pass);
      return (performance.now() - start) / encodings;
    },
  };
}

function encodeCase(name: string, tier: Tier, count: number, length: number, clip: boolean): Case {
  const work = updateWork(
    "adamw",
    clip,
    Array.from({ length: count }, () => [length]),
  );
  const engines = { fallline, naive };
  return {
    ...{ suite: "host", name: `encode adamw ${name}`, tier, n: work.n, tensors: count, number: "norm" },
    expected: () => expectedOf(work),
    start: () => startOf(work),
    contenders: Object.entries(engines).map(
      ([engine, load]): Contender => ({ engine, load: async () => hostTimed(await load(work)) }),
    ),
    ours: "fallline",
    delay: true,
    brief: true,
  };
}

// Each peer is imported for its turn, so that one that does not load spoils only its row.
const readers: Readonly<Record<string, (work: UpdateWork, wanted: Wanted) => Promise<Runner>>> = {
  fallline: falllineRead,
  map,
  tfjs: async (work, wanted) => (await import("../engines/tfjs.ts")).read(work, wanted),
  jaxjs: async (work, wanted) => (await import("../engines/jaxjs.ts")).read(work, wanted),
};

function readCase(name: string, tier: Tier, length: number, wanted: Wanted): Case {
  const work = updateWork("adamw", wanted === "stats", [[length]]);
  return {
    ...{ suite: "read", name, tier, n: length, tensors: 1, number: "norm" },
    expected: async () =>
      wanted === "stats" ? { numbers: [normOf(work)], values: [] } : { numbers: [], values: startOf(work) },
    contenders: Object.entries(readers).map(
      ([engine, load]): Contender => ({ engine, load: () => load(work, wanted) }),
    ),
    ours: "fallline",
    delay: wanted === "stats",
    // A copy is exact.
    tolerance: { number: 1e-3, values: 0 },
    brief: true,
  };
}

export const hostCases: readonly Case[] = [
  encodeCase("200x1k", "full", 200, 1024, false),
  encodeCase("64x16k", "quick", 64, 16_384, false),
  encodeCase("64x16k clip", "full", 64, 16_384, true),
  readCase("read 1x64k", "full", 65_536, "params"),
  readCase("read 1x1M", "quick", 2 ** 20, "params"),
  readCase("stats", "full", 65_536, "stats"),
];
