// Runs an experiment of the registry, or a custom one, and records what ran.
import { readName } from "../../base/words.ts";
import type { AdapterDescription } from "../../engines/gpu/device.ts";
import { type Experiment, type ExperimentContext, type Findings, readContext, readExperiment } from "./experiment.ts";
import { experiments } from "./index.ts";

/** The findings of an experiment, and the engine that it ran on. */
export interface LabResult extends Findings {
  /** The version of its format. */
  readonly format: "fallline-lab/1";
  /** The experiment. */
  readonly name: string;
  /** The engine. */
  readonly backend: "webgpu" | "cpu";
  /** The adapter that really ran. */
  readonly adapter: AdapterDescription;
  /** Every option, defaults included. */
  readonly config: Readonly<Record<string, unknown>>;
  /** How long it took. */
  readonly seconds: number;
}

/**
 * Runs an experiment: one of the registry by its name, or a custom one.
 *
 * @throws OptionError for an unknown name, an unknown option or a value out of range, before anything is made; DeviceError
 * for more than the engine can hold; DataError where a run diverges that must not; the signal's reason where it is stopped.
 */
export async function runExperiment(
  experiment: string | Experiment,
  options: Readonly<Record<string, unknown>>,
  context: ExperimentContext,
): Promise<LabResult> {
  const { name, read, run } = typeof experiment === "string" ? experimentOf(experiment) : readExperiment(experiment);
  const { engine } = readContext(context);
  const config = read(options);
  const started = performance.now();
  const findings = await run(config, context);
  return {
    format: "fallline-lab/1",
    name,
    backend: engine.backend,
    adapter: engine.adapter,
    config,
    ...findings,
    seconds: (performance.now() - started) / 1000,
  };
}

/** @throws OptionError for a name that no experiment has. */
export function experimentOf(name: string, among: readonly Experiment[] = experiments): Experiment {
  const chosen = readName(
    "name",
    name,
    among.map((each) => each.name),
  );
  return among.find((each) => each.name === chosen)!;
}
