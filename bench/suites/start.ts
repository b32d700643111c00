// Suite "start": from requesting a device to the end of the first step, with the engine's code loaded. Cold is the first time in
// a page, which only means something before other cases: so these come first. The adapter has answered before, for every engine.
// Warm is on a device just as new, in a browser that keeps compiled kernels.
import { requestDevice } from "../../src/index.ts";
import { update as fallline } from "../engines/fallline.ts";
import { keeping } from "../engines/keeping.ts";
import { update as naive } from "../engines/naive.ts";
import type { Answer, Case, Contender, Runner } from "../suite.ts";
import { expectedOf, startOf, type UpdateRole, type UpdateWork, updateWork, valuesOf } from "../update.ts";

/** An engine whose code is loaded: makes everything for the work, from the device on. */
type Make = () => Promise<Runner>;

interface Starter {
  /** Imports the engine and the parts of the work; returns whether it already runs in this page. */
  load(work: UpdateWork): Promise<{ make: Make; hasStarted: () => boolean }>;
}

const roles: readonly UpdateRole[] = ["params", "gradients"];

/** Engines that run on any device. */
function onNewDevice(update: (work: UpdateWork, on: Promise<GPUDevice>) => Promise<Runner>): Starter {
  let started = false;
  return {
    async load(work) {
      // The values' period is ready before the clock starts; the values are copied from it.
      for (const role of roles) valuesOf(work, role, 0);
      const make = keeping(async (keep) => {
        started = true;
        const device = keep(await requestDevice());
        return keep(await update(work, Promise.resolve(device)));
      });
      return { make, hasStarted: () => started };
    },
  };
}

interface Peer {
  update(work: UpdateWork, values: typeof valuesOf): Promise<Runner>;
  hasStarted(): boolean;
}

/** Engines with a backend of their own, which starts once in a page. */
function withBackend(module: () => Promise<Peer>): Starter {
  return {
    async load(work) {
      const { update, hasStarted } = await module();
      // The arrays are ready before the clock starts; the engine uploads them and changes none.
      const ready = Object.fromEntries(
        roles.map((role) => [role, work.tensors.map((_, t) => valuesOf(work, role, t))]),
      ) as Record<UpdateRole, Float32Array<ArrayBuffer>[]>;
      return { make: () => update(work, (_, role, t) => ready[role][t]!), hasStarted };
    },
  };
}

const anyDevice = { fallline: onNewDevice(fallline), naive: onNewDevice(naive) };
const all = {
  ...anyDevice,
  tfjs: withBackend(() => import("../engines/tfjs.ts")),
  jaxjs: withBackend(() => import("../engines/jaxjs.ts")),
};

async function runnerOf(starter: Starter, work: UpdateWork, cold: boolean): Promise<Runner> {
  const { make, hasStarted } = await starter.load(work);
  if (cold && hasStarted()) throw new Error("it has already started in this page; reload the page");
  const start = async () => {
    const begin = performance.now();
    const runner = await make();
    try {
      await runner.step();
      await runner.wait();
      return performance.now() - begin;
    } finally {
      runner.destroy();
    }
  };
  return {
    note: cold
      ? "this engine's first device in this page; kernels are cached only if the browser's profile has compiled them"
      : "a new device each time, in a page that has compiled the same",
    async step() {
      await start();
    },
    wait: async () => undefined,
    async time(steps) {
      let ms = 0;
      for (let i = 0; i < steps; i++) ms += await start();
      return ms / steps;
    },
    ...(!cold && { answer: () => answerOf(make) }),
    destroy() {
      // Each start cleans up after itself.
    },
  };
}

async function answerOf(make: Make): Promise<Answer> {
  const runner = await make();
  try {
    if (!runner.answer) throw new Error("it returns no answer");
    return await runner.answer();
  } finally {
    runner.destroy();
  }
}

function startCase(kind: "cold" | "warm", starters: Readonly<Record<string, Starter>>): Case {
  const work = updateWork("adamw", false, [[2 ** 20]]);
  const cold = kind === "cold";
  return {
    ...{ suite: "start", name: `start adamw 1x1M ${kind}`, tier: "quick", n: work.n, tensors: 1 },
    // An answer beforehand would be a start; the results of a cold start are checked against the reference in the suite "update".
    ...(!cold && { expected: () => expectedOf(work), start: () => startOf(work) }),
    contenders: Object.entries(starters).map(
      ([engine, starter]): Contender => ({ engine, load: () => runnerOf(starter, work, cold) }),
    ),
    ours: "fallline",
    once: cold,
    delay: true,
    brief: true,
  };
}

export const startCases: readonly Case[] = [startCase("cold", all), startCase("warm", anyDevice)];
