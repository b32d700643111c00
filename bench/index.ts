// `fallline/bench`: the cost of a custom step, measured as in the project's benchmark.
export type { ChoiceStore, Speeds } from "../src/engines/gpu/kernel_choices.ts";
export * as kernels from "../src/engines/products/kernels.ts";
export type { Tuned, TunedUpdate, TuneOptions, TuneProgress, TuneResult } from "../src/engines/products/tuner.ts";
export type { Choice } from "../src/engines/products/variant_choices.ts";
export type { ProductShape } from "../src/engines/products/variants.ts";

import { DeviceError, OptionError, show } from "../src/base/errors.ts";
import { readNumber, readObject } from "../src/base/options.ts";
import { readDevice } from "../src/engines/gpu/device.ts";
import { passRunner } from "./device.ts";
import { runCases } from "./run_cases.ts";
import type { Contender } from "./suite.ts";

/** Encodes one step into an open pass: only dispatches; the pass is neither ended nor submitted. */
export type BenchStep = (pass: GPUComputePassEncoder) => void;

/** Options of {@link bench}. */
export interface BenchOptions {
  /** The device of all steps. With the feature "timestamp-query" rows have a {@link BenchRow.gpuMs}. */
  readonly device: GPUDevice;
  /** One step, or several by name, which take turns and are measured under the same conditions. */
  readonly step: BenchStep | Readonly<Record<string, BenchStep>>;
  /** Rounds per median; a whole number >= 1, default 9. A round takes about 0.2 s per step. */
  readonly rounds?: number | undefined;
  /** Ends the measurement; the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The measurements of one step. Counts are per step. */
export interface BenchRow {
  /** The step's name; "step" if there is only one. */
  readonly name: string;
  /** Median over the rounds of a turn's time, from the start of its first step to the end of its last, per step, in ms. */
  readonly ms: number;
  /** The quartiles of that, in ms; null with one round. */
  readonly quartiles: readonly [number, number] | null;
  /** Median by the device's own timestamps, in ms per step; null if it offers none. */
  readonly gpuMs: number | null;
  /** Dispatches. */
  readonly dispatches: number;
  /** Bind groups that it creates. */
  readonly bindGroups: number;
  /** Bytes that the host hands to the device. */
  readonly hostBytes: number;
}

/**
 * Measures steps on a device: each runs many times per turn, turns alternate, and medians are taken over the rounds. Every step
 * is submitted on its own, in its own pass.
 *
 * ```ts
 * console.table(await bench({ device, step: (pass) => optimizer.encode(pass) }));
 * ```
 *
 * @returns a row for each step, in the order of their names in `step`.
 * @throws OptionError for a bad option; DeviceError if a step throws, causes a GPU error or loses the device.
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
      load: async () => ({ ...passRunner(device, encode), destroy: () => undefined }),
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
