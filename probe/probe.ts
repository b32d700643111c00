// What one device does, as one JSON: recorded trajectories, probes of what WGSL leaves open, and a short benchmark. Runs in a page and
// in Node alike.
import { pageCases, titleOf } from "../bench/cases.ts";
import { runCases } from "../bench/run_cases.ts";
import type { Row } from "../bench/suite.ts";
import { version } from "../src/base/version.ts";
import { type AdapterDescription, described } from "../src/engines/gpu/device.ts";
import { streamShape } from "../src/engines/gpu/kernel_shapes.ts";
import { createOptimizer } from "../src/engines/gpu/optimizer.ts";
import { holds } from "../src/engines/products/probes.ts";
import { memoryProbes, probeVariants, quadsInRow, variants, whyNot } from "../src/engines/products/variants.ts";
import { readReplay, replayCase } from "../src/lab/replay.ts";
import { type Errors, findFacts } from "./facts.ts";

/** A recorded trajectory on this device. */
export interface Recorded {
  readonly id: string;
  readonly ok: boolean;
  /** The largest error, and by the float32 error of the source itself; null where it did not run. */
  readonly maxAbs: number | null;
  readonly ratio: number | null;
  readonly error?: string;
}

export interface ProbeResult {
  readonly format: "fallline-probe/1";
  readonly version: string;
  /** When it began, ISO 8601. */
  readonly date: string;
  /** The browser, or what else it runs in. */
  readonly agent: string;
  readonly adapter: AdapterDescription;
  readonly subgroups: readonly [least: number, most: number] | null;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** How kernels that stream memory are cut, and which variants of products run. */
  readonly shape: string;
  readonly variants: readonly string[];
  /** What kernels take for granted, by what it is; null where the device was not asked. */
  readonly probes: Readonly<Record<string, boolean | null>>;
  readonly recorded: readonly Recorded[];
  readonly facts: Readonly<Record<string, boolean>>;
  readonly errors: Errors;
  readonly bench: readonly Row[];
  /** Why a part is missing. */
  readonly incomplete?: string;
}

/** Of the recorded cases, those that reach every kind of kernel. */
export const recordedIds: readonly string[] = [
  ...["sgd-momentum", "adamw-options", "adam-amsgrad", "adafactor", "lion", "lamb", "prodigy", "schedule-free-adamw"],
  ...["clip-global-norm", "clip-adaptive", "parameter-groups", "muon"],
];

/** The benchmark's cases, with the engines that stay. */
const titles = [
  "update: adamw 1x1M",
  "update: adamw 1x1M clip",
  "product: delta 128x1024x256",
  "gradient: train 64-32-10 b16",
];
const engines = new Set(["fallline", "stream"]);

/** What the short benchmark runs. */
export const benchCases = pageCases
  .filter((each) => titles.includes(titleOf(each)))
  .map((each) => ({ ...each, contenders: each.contenders.filter(({ engine }) => engines.has(engine)) }));

export interface ProbeOptions {
  readonly device: GPUDevice;
  /** Recorded trajectories: texts in the format `fallline-replay/1`. */
  readonly recorded: readonly string[];
  readonly agent: string;
  /** Only these of the recorded cases, by their names, and of the benchmark's, by their titles; default all. */
  readonly only?: readonly string[];
  /** How many rounds of the benchmark at most; default 5. */
  readonly rounds?: number;
  readonly signal?: AbortSignal;
  /** What is done, and how much of everything. */
  readonly onProgress?: (doing: string, share: number, result: ProbeResult) => void;
}

const limitNames = [
  ...["maxBufferSize", "maxStorageBufferBindingSize", "maxStorageBuffersPerShaderStage"],
  ...["maxComputeWorkgroupStorageSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupSizeX"],
] as const;

/**
 * Runs everything, one thing after the other. Who stops it gets what is finished, `incomplete`.
 *
 * @throws DeviceError where the device compiles or runs nothing.
 */
export async function runProbe({
  device,
  recorded,
  agent,
  only,
  rounds = 5,
  signal,
  onProgress,
}: ProbeOptions): Promise<ProbeResult> {
  const { subgroupMinSize: least, subgroupMaxSize: most } = device.adapterInfo ?? {};
  await probeVariants(device);
  const asked: readonly (readonly [string, boolean | null])[] = [
    ["quads are four in a row", device.features.has("subgroups") ? holds(device, quadsInRow) : null],
    ...memoryProbes.map(({ probe }) => [probe.name, holds(device, probe)] as const),
  ];
  let result: ProbeResult = {
    format: "fallline-probe/1",
    version,
    date: new Date().toISOString(),
    agent,
    adapter: described(device.adapterInfo),
    subgroups: least !== undefined && most !== undefined ? [least, most] : null,
    features: [...device.features].sort(),
    limits: Object.fromEntries(
      limitNames.map((name) => [name, device.limits[name as keyof GPUSupportedLimits] as number]),
    ),
    shape: streamShape(device).name,
    variants: variants.filter((variant) => whyNot(device, variant) === undefined).map(({ name }) => name),
    probes: Object.fromEntries(asked),
    recorded: [],
    ...(await findFacts(device)),
    bench: [],
  };
  const files = recorded.map(readReplay);
  const chosen = files.flatMap((file) =>
    file.cases
      .filter(({ id }) => recordedIds.includes(id) && (only?.includes(id) ?? true))
      .map((replay) => ({ file, replay })),
  );
  const measured = benchCases.filter((each) => only?.includes(titleOf(each)) ?? true);
  // Recorded cases and the benchmark's take about as long each.
  const all = chosen.length + 3 * measured.length;
  try {
    for (const [i, { file, replay }] of chosen.entries()) {
      signal?.throwIfAborted();
      onProgress?.(`replays ${replay.id}`, i / all, result);
      const { id, ok, maxAbs, ratio, error } = await replayCase(file, replay, (tensors, config) =>
        createOptimizer(device, tensors, config),
      );
      const found: Recorded = { id, ok, maxAbs, ratio, ...(error === undefined ? {} : { error }) };
      result = { ...result, recorded: [...result.recorded, found] };
    }
    const bench = await runCases(measured, {
      quick: true,
      rounds,
      ...(signal && { signal }),
      onProgress: ({ case: name, doing, done, total, casesDone, rows }) => {
        result = { ...result, bench: [...rows] };
        onProgress?.(`measures ${name}: ${doing}`, (chosen.length + 3 * (casesDone + done / total)) / all, result);
      },
    });
    return { ...result, bench };
  } catch (error) {
    if (!signal?.aborted) throw error;
    return { ...result, incomplete: "stopped" };
  }
}
