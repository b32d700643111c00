// `fallline/bench`: what a step of one's own costs, measured as the project's benchmark measures its cases.
export type { ChoiceStore, Speeds } from "../src/engines/gpu/kernel_choices.ts";
export * as kernels from "../src/engines/products/kernels.ts";
export type { Tuned, TunedUpdate, TuneOptions, TuneProgress, TuneResult } from "../src/engines/products/tuner.ts";
export type { Choice } from "../src/engines/products/variant_choices.ts";
export type { ProductShape } from "../src/engines/products/variants.ts";

import { DeviceError, OptionError, show } from "../src/base/errors.ts";
import { readNumber, readObject } from "../src/base/options.ts";
import { readDevice } from "../src/engines/gpu/device.ts";
import { gpuTimeOf, submitPass } from "./device.ts";
import { type Contender, runCases } from "./suite.ts";

/** Encodes one step into an open pass: dispatches alone, neither ended nor submitted. */
export type BenchStep = (pass: GPUComputePassEncoder) => void;

/** What is measured, and how long. */
export interface BenchOptions {
  /** The device of everything that is encoded. With the feature "timestamp-query" rows have a {@link BenchRow.gpuMs}. */
  readonly device: GPUDevice;
  /** One step, or several by name, which take turns and are measured under the same conditions. */
  readonly step: BenchStep | Readonly<Record<string, BenchStep>>;
  /** How many rounds a median is of; a whole number >= 1, default 9. A round takes about 0.2 s a step. */
  readonly rounds?: number | undefined;
  /** Ends the measurement; the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What was found of one step. Counts are of one step. */
export interface BenchRow {
  /** The step's name; "step" where there is but one. */
  readonly name: string;
  /** Median over the rounds of the time from the first step of a turn to its last one's end, by step, in ms. */
  readonly ms: number;
  /** The quartiles of that, in ms; null with one round. */
  readonly quartiles: readonly [number, number] | null;
  /** Median by the device's own timestamps, in ms a step; null where it offers none. */
  readonly gpuMs: number | null;
  /** Dispatches. */
  readonly dispatches: number;
  /** Bind groups that it creates. */
  readonly bindGroups: number;
  /** Bytes that the host hands to the device. */
  readonly hostBytes: number;
}

/**
 * Measures steps on a device: each runs many times a turn, turns alternate, and medians are taken over the rounds. Every step
 * is submitted by itself, in a pass of its own.
 *
 * ```ts
 * console.table(await bench({ device, step: (pass) => optimizer.encode(pass) }));
 * ```
 *
 * @returns a row for each step, in the order of their names in `step`.
 * @throws OptionError for a bad option; DeviceError where a step throws, makes a GPU error or loses the device.
 */
export async function bench(options: BenchOptions): Promise<readonly BenchRow[]> {
  const { device, step, rounds, signal } = readObject("bench", options, [
    "device",
    "step",
    "rounds",
    "signal",
  ]) as unknown as BenchOptions;
  readDevice(device);
  if (rounds !== undefined) readNumber("rounds", rounds, { min: 1, integer: true });
  const contenders = Object.entries(readSteps(step)).map(
    ([engine, encode]): Contender => ({
      engine,
      load: async () => ({
        device,
        step: () => submitPass(device, encode),
        wait: () => device.queue.onSubmittedWorkDone(),
        ...gpuTimeOf(device, encode),
        destroy: () => undefined,
      }),
    }),
  );
  const rows = await runCases(
    [{ suite: "bench", name: "step", tier: "quick", n: 0, tensors: 0, contenders, ours: "" }],
    { ...(rounds !== undefined && { rounds }), ...(signal && { signal }) },
  );
  return rows.map(({ engine: name, ms, quartiles, gpuMs, dispatches, bindGroups, hostBytes, error }) => {
    if (error !== undefined || ms === null) throw new DeviceError(`${name} could not be measured: ${error}`);
    return {
      ...{ name, ms, quartiles, gpuMs },
      ...{ dispatches: dispatches ?? 0, bindGroups: bindGroups ?? 0, hostBytes: hostBytes ?? 0 },
    };
  });
}

function readSteps(step: unknown): Readonly<Record<string, BenchStep>> {
  const steps = typeof step === "function" ? { step } : step;
  const isSteps =
    typeof steps === "object" && steps !== null && Object.values(steps).every((each) => typeof each === "function");
  if (!isSteps || Object.keys(steps).length === 0) {
    throw new OptionError(`step is ${show(step)}; it must be a function of a pass, or such functions by name`);
  }
  return steps as Readonly<Record<string, BenchStep>>;
}
