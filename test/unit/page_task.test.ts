// Tasks of the page at the other end of a channel: what they tell, ask and come to crosses it, and so do refusals and stops.
import { MessageChannel } from "node:worker_threads";
import { afterAll, expect, it } from "vitest";
import { type Channel, callTask, defineTask, serveTasks } from "../../src/app/page/task.ts";
import { sweepTask } from "../../src/app/page/views/find_tasks.ts";
import { labTask } from "../../src/app/page/views/stability_task.ts";
import { type RunWords, runConfigOf } from "../../src/app/page/views/train_run.ts";
import { trainTask } from "../../src/app/page/views/train_task.ts";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { jobConfig } from "../../src/lab/defaults.ts";
import type { Interim } from "../../src/lab/experiments/experiment.ts";
import { gridTrials, sweep } from "../../src/lab/sweep.ts";
import { splitRows } from "../../src/objectives/data/dataset.ts";
import { uciDigits } from "../../src/objectives/data/uci_digits.ts";
import { cpuEngine } from "../../src/train/engine.ts";
import { readRunConfig } from "../../src/train/run_config.ts";
import { train } from "../../src/train/train.ts";

const open: { close(): void }[] = [];
afterAll(() => {
  for (const each of open) each.close();
});

/** The page's end of a channel with these tasks at the other. */
function page(...tasks: Parameters<typeof serveTasks>[1]): Channel {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  serveTasks(port2 as unknown as Channel, tasks);
  port2.start();
  port1.start();
  return port1 as unknown as Channel;
}

interface Asked {
  half(of: number): Promise<number>;
  told(text: string): void;
}

const halving = defineTask({
  name: "halving",
  async run(from: number, { half, told }: Asked, engine, signal): Promise<string> {
    let [at, count] = [from, 0];
    while (at > 1) {
      signal.throwIfAborted();
      told(`at ${at}`);
      at = await half(at);
      count++;
    }
    if (from === 0) throw new OptionError("from is 0; it must be > 0");
    return `${count} halves on ${engine.backend}`;
  },
});

it("tells and asks the page, and gives what it comes to", async () => {
  const told: string[] = [];
  const listeners: Asked = { half: async (of) => of / 2, told: (text) => void told.push(text) };
  expect(await callTask(page(halving), halving, 8, listeners, new AbortController().signal)).toBe("3 halves on cpu");
  expect(told).toEqual(["at 8", "at 4", "at 2"]);
});

it("fails as the task does, with the signal's reason where that stopped it, and with what a listener throws", async () => {
  const never = new AbortController().signal;
  const listeners: Asked = { half: async (of) => of / 2, told: () => {} };
  await expect(callTask(page(halving), halving, 0, listeners, never)).rejects.toThrow(
    new OptionError("from is 0; it must be > 0"),
  );
  const stop = new AbortController();
  const stopping: Asked = {
    ...listeners,
    async half(of) {
      stop.abort(new Error("enough"));
      return of;
    },
  };
  await expect(callTask(page(halving), halving, 8, stopping, stop.signal)).rejects.toThrow("enough");
  const failing: Asked = {
    ...listeners,
    half: () => Promise.reject(new DataError("no halves")),
  };
  await expect(callTask(page(halving), halving, 8, failing, never)).rejects.toThrow(new DataError("no halves"));
});

it("trains the same run at the other end, where its rate is changed and it is paused", async () => {
  const words: RunWords = {
    ...{ model: "64-8-10", rule: "adamw", lr: 0.01, batch: 32, steps: 12, seed: 1, data: "digits", target: "" },
    ...{ kind: "auto", schedule: "", every: 6, sharpness: 6, config: "" },
  };
  const config = readRunConfig(runConfigOf(words, null));
  const halves = splitRows(await uciDigits(), 360, { shuffle: false });
  const seen: Record<string, unknown[]> = {};
  const note = (name: string) => (given: unknown) => {
    seen[name] = [...(seen[name] ?? []), given];
  };
  const signal = new AbortController().signal;
  const run = (factorFrom7: number) => {
    let next = 0;
    return callTask(
      page(trainTask),
      trainTask,
      { config: JSON.stringify(config), halves },
      {
        started: () => {},
        async turn() {
          next++;
          return { factor: next < 7 ? 1 : factorFrom7, isHeld: next === 3 };
        },
        async held(index, params) {
          note("held")([index, Object.keys(params).length]);
          return { factor: 1, isHeld: false };
        },
        refused: note("refused"),
        step: note("steps"),
        layers: note("layers"),
        event: note("events"),
        curvature: note("curvature"),
        metric: note("metrics"),
        tested: note("tested"),
        async checkpoint({ bytes }) {
          note("checkpoints")(bytes.length);
        },
        recover: () => Promise.reject(new Error("nothing is lost on the CPU")),
      },
      signal,
    );
  };
  const plain = await train({ engine: cpuEngine(), ...config, data: { ...halves, config: null } });
  const found = await run(1);
  const steps = () => seen.steps as { loss: number; lr: number }[];
  expect(steps().map(({ loss }) => loss)).toEqual(plain.losses);
  expect(found).toMatchObject({ testAccuracy: plain.testAccuracy, params: plain.params, interrupted: false });
  expect(seen.held).toEqual([[3, Object.keys(plain.params).length]]);
  expect(seen.metrics).toEqual(plain.metrics);
  expect(seen.curvature).toEqual(plain.curvature);
  const before = steps().map(({ lr }) => lr);
  seen.steps = [];
  await run(0.5);
  for (const [i, { lr }] of steps().entries()) expect(lr / before[i]!).toBeCloseTo(i < 6 ? 1 : 0.5, 12);
});

it("sweeps rates at the other end, whose steps wait for their turn", async () => {
  const data = await uciDigits();
  const job = { model: "64-8-10", rule: "adamw", batch: 32, steps: 24, seed: 1 };
  const seen: { step: number; losses: readonly (readonly number[])[] }[] = [];
  let [turns, resume] = [0, () => {}];
  const held = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const swept = callTask(
    page(sweepTask),
    sweepTask,
    { job, data, lrs: [1e-4, 1e-2, 1] },
    {
      async turn() {
        if (++turns > 8) await held;
      },
      step: (entrants, step) => void seen.push({ step, losses: entrants.map(({ losses }) => [...losses]) }),
    },
    new AbortController().signal,
  );
  await expect.poll(() => turns).toBeGreaterThan(8);
  // Steps in flight are not more than a few.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(turns).toBeLessThan(13);
  resume();
  const { best, interrupted } = await swept;
  expect([best, interrupted]).toEqual([1, false]);
  const plain = await sweep({
    engine: cpuEngine(),
    ...jobConfig(job),
    data,
    trials: gridTrials({ lr: [1e-4, 1e-2, 1] }),
  });
  expect(seen.at(-1)).toMatchObject({ step: 24, losses: plain.trials.map(({ losses }) => losses) });
});

it("runs an experiment that is watched as it goes on, until it is stopped: each descent with its sharpness, edge and loss", async () => {
  const interims: Interim[] = [];
  const stop = new AbortController();
  const run = callTask(
    page(labTask),
    labTask,
    { name: "edge", config: { steps: 300, lr: [1.3], seed: 1 } },
    {
      async progress(done) {
        if (interims.length > 1 && done > 0) stop.abort(new Error("enough"));
      },
      interim: (interim) => void interims.push(interim),
    },
    stop.signal,
  );
  await expect(run).rejects.toThrow("enough");
  const { rows, chart } = interims.at(-1)!;
  expect(chart).toMatchObject({ series: expect.any(Array) });
  expect(rows.map((row) => row.run)).toEqual(["gradient descent, lr 1.30", "heavy ball, μ 0.5, lr 1.95"]);
  const [first] = rows;
  expect(first!["edge (2/lr for descent)"]).toBe(2 / 1.3);
  expect(first!["sharpness λ"]).toBeCloseTo((first!["λ / edge"] as number) * (2 / 1.3), 9);
  // Below the edge at first.
  expect(first!["λ / edge"]).toBeLessThan(0.97);
  expect(first!.loss).toBeGreaterThan(0);
});
