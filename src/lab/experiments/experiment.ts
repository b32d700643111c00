// The shape of an experiment: options that are read once, with their ranges and meanings; a run on an engine; and claims, each a
// number found and the number predicted, with the allowed difference. The command line, the docs and the tests
// know experiments by this shape alone.
import { DataError, OptionError } from "../../base/errors.ts";
import {
  describeRange,
  isOptions,
  type Option,
  type Range,
  readArray,
  readListener,
  readMade,
  readNumber,
  readSignal,
  type Values,
} from "../../base/options.ts";
import { readFields, readName } from "../../base/words.ts";
import { breathe } from "../../objectives/turns.ts";
import { readEngine } from "../../train/arguments.ts";
import type { Engine } from "../../train/engine.ts";

/** A number found, and the one predicted. */
export interface Claim {
  /** What was measured, in words. */
  readonly what: string;
  /** The number that was found. */
  readonly found: number;
  /** The number that was predicted before the run. */
  readonly predicted: number;
  /** The allowed difference: relative to the prediction, or absolute where `what` says so. */
  readonly allowance: number;
  /** Whether the two agree. */
  readonly ok: boolean;
}

/** The results of a run. */
export interface Findings {
  /** What was found and predicted, at least one. */
  readonly claims: readonly Claim[];
  /** A picture of it, as an ECharts description. */
  readonly chart: Readonly<Record<string, unknown>>;
  /** Further remarks, such as how fast it ran; a sentence each. */
  readonly notes?: readonly string[];
}

/** The state of a run: its picture so far, and the numbers in it. */
export interface Interim {
  /** A picture of it, as an ECharts description; that of the findings is the last. */
  readonly chart: Readonly<Record<string, unknown>>;
  /** A row for each curve: its figures by name, in the same order in every row. */
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

/** The inputs of a run besides its options. */
export interface ExperimentContext {
  /** The engine that it runs on. */
  readonly engine: Engine;
  /** Stops it: the run then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the share done, from 0 to 1, and awaited: its promise holds up the run. */
  readonly onProgress?: ((done: number) => unknown) | undefined;
  /** Called as the run goes on, at most ten times a second, by experiments that can be watched. */
  readonly onInterim?: ((interim: Interim) => void) | undefined;
}

/** The context as an experiment's file sees it. */
export interface Lab {
  /** The engine that it runs on. */
  readonly engine: Engine;
  /** Reports the share done, and yields to other work. @throws the signal's reason if the run is stopped. */
  progress(done: number): Promise<void>;
  /** Shows how the run stands, where somebody watches and has not just seen it. */
  interim(make: () => Interim): void;
}

/** Milliseconds between two pictures of a run. */
const leastPause = 100;

/** An option of an experiment. */
export interface ExperimentOption {
  /** In camelCase; kebab-case on the command line. */
  readonly name: string;
  /** Its meaning, in words. */
  readonly meaning: string;
  /** Its allowed values, in words. */
  readonly allowed: string;
  /** Its value when left out. */
  readonly default: unknown;
  /** How the command line reads it: a number, numbers with commas between them, or a word. */
  readonly kind: "number" | "numbers" | "word";
}

/** One entry of the registry in experiments/index.ts. */
export interface Experiment {
  /** In kebab-case. */
  readonly name: string;
  /** What it shows, in one sentence. */
  readonly title: string;
  /** Its options, in the order in which they are listed. */
  readonly options: readonly ExperimentOption[];
  /**
   * The complete options.
   *
   * @throws OptionError for an unknown option or a value out of range.
   */
  read(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /**
   * Runs it.
   *
   * @throws OptionError for invalid options, before anything is made; DeviceError for more than the engine can hold;
   * DataError where a run diverges that should not.
   */
  run(options: Readonly<Record<string, unknown>>, context: ExperimentContext): Promise<Findings>;
}

/** An option as an experiment's file writes it. */
export interface LabOption<T> extends Option<T> {
  readonly meaning: string;
  readonly kind: ExperimentOption["kind"];
}

/** A number; its range and its default. */
export function number(meaning: string, standard: number, range: Range = {}): LabOption<number> {
  return {
    meaning,
    kind: "number",
    allowed: describeRange(range),
    default: standard,
    read: (name, value) => readNumber(name, value, range),
  };
}

/** A whole number; its range and its default. */
export function whole(meaning: string, standard: number, range: Range): LabOption<number> {
  return number(meaning, standard, { ...range, integer: true });
}

/** At least one number, each in a range; or none, if the default is none. */
export function numbers(meaning: string, standard: readonly number[], range: Range = {}): LabOption<readonly number[]> {
  return {
    meaning,
    kind: "numbers",
    allowed: `numbers, each ${describeRange(range)}`,
    default: standard,
    read(name, value) {
      const read = readArray(name, value, "numbers").map((one, i) => readNumber(`${name}[${i}]`, one, range));
      if (read.length === 0 && standard.length > 0)
        throw new OptionError(`${name} is []; it must hold at least one number`);
      return read;
    },
  };
}

/** One of some words. */
export function choice<T extends string>(meaning: string, names: readonly T[], standard: T): LabOption<T> {
  return {
    meaning,
    kind: "word",
    allowed: names.join(", "),
    default: standard,
    read: (name, value) => readName(name, value, names),
  };
}

type Options = Readonly<Record<string, LabOption<unknown>>>;

/** An option of every experiment. */
const seed = whole("seed of all random numbers", 0, { min: 0, max: Number.MAX_SAFE_INTEGER });

interface Written<O extends Options> {
  readonly name: string;
  readonly title: string;
  readonly options: O;
  /** Refuses what no option alone can refuse. */
  check?(values: Values<O>): void;
  /** About how many multiplications a run takes, if its options can ask for more than anyone would wait for. */
  cost?(values: Values<O>): number;
  run(values: Values<O> & { readonly seed: number }, lab: Lab): Promise<Findings>;
}

/** Makes an experiment from its definition. */
export function defineExperiment<O extends Options>({
  name,
  title,
  options,
  check,
  cost,
  run,
}: Written<O>): Experiment {
  const all: readonly (readonly [string, LabOption<unknown>])[] = Object.entries({ ...options, seed });
  const known = all.map(([key]) => key);
  const read = (given: Readonly<Record<string, unknown>>) => {
    const fields = readFields("options", given, known);
    const values = Object.fromEntries(
      all.map(([key, option]) => [key, option.read(key, fields[key] === undefined ? option.default : fields[key])]),
    ) as Values<O> & { readonly seed: number }; // each option was read by its own reader
    check?.(values);
    mustEnd(cost?.(values) ?? 0, all, values);
    return values;
  };
  return {
    name,
    title,
    options: all.map(([key, { meaning, allowed, default: standard, kind }]) => ({
      name: key,
      meaning,
      allowed,
      default: standard,
      kind,
    })),
    read,
    async run(given, context) {
      const values = read(given);
      const { claims, chart, notes } = await run(values, labOf(context));
      return { claims, chart, ...(notes ? { notes } : {}) };
    },
  };
}

/** Multiplications for a coordinate of a landscape in a step, approximately. */
export const perCoordinate = 10;
/** The most multiplications of a run: minutes on one core. */
const mostMultiplications = 1e11;

/** @throws OptionError that names the options above their defaults, for more than anyone would wait for. */
function mustEnd(
  cost: number,
  all: readonly (readonly [name: string, option: LabOption<unknown>])[],
  values: Readonly<Record<string, unknown>>,
): void {
  if (cost <= mostMultiplications) return;
  const above = all.filter(([name, option]) => Number(values[name]) > Number(option.default) && name !== "seed");
  const named = above.map(([name]) => `${name} is ${values[name]}`).join(" and ");
  throw new OptionError(
    `${named}, so the run would take about ${cost.toPrecision(2)} multiplications; it may take at most ${mostMultiplications.toPrecision(2)}`,
  );
}

/** @throws OptionError for anything but an experiment. */
export function readExperiment(experiment: Experiment): Experiment {
  const members = { name: "string", title: "string", options: "array", read: "function", run: "function" } as const;
  return readMade("experiment", experiment, "an experiment, such as lab.experiments holds", members);
}

function labOf(context: ExperimentContext): Lab {
  const { engine, signal, onProgress, onInterim } = readContext(context);
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    engine,
    interim(make) {
      if (!onInterim || performance.now() - shownAt < leastPause) return;
      onInterim(make());
      shownAt = performance.now();
    },
    async progress(done) {
      signal?.throwIfAborted();
      await onProgress?.(Math.min(1, Math.max(0, done)));
      await breathe();
      signal?.throwIfAborted();
    },
  };
}

/** @throws OptionError for anything but a context. */
export function readContext(context: ExperimentContext): ExperimentContext {
  if (!isOptions(context)) throw new OptionError("context is missing; it must be an object with an engine");
  readEngine(context.engine);
  readSignal("signal", context.signal);
  readListener("onProgress", context.onProgress);
  readListener("onInterim", context.onInterim);
  return context;
}

/** Two numbers that agree if they differ by at most `allowance`, relative to the prediction. */
export function relative(what: string, found: number, predicted: number, allowance: number): Claim {
  mustBeFinite(what, found, predicted);
  return { what, found, predicted, allowance, ok: Math.abs(found - predicted) <= allowance * Math.abs(predicted) };
}

/** Two numbers that agree if they differ by at most `allowance`. */
export function absolute(what: string, found: number, predicted: number, allowance: number): Claim {
  mustBeFinite(what, found, predicted);
  const ok = Math.abs(found - predicted) <= allowance;
  return { what: `${what} (absolute allowance)`, found, predicted, allowance, ok };
}

/** A number that must be at least another. */
export function atLeast(what: string, found: number, least: number): Claim {
  mustBeFinite(what, found, least);
  return { what: `${what} (at least)`, found, predicted: least, allowance: 0, ok: found >= least };
}

/** A number that must not exceed another. */
export function atMost(what: string, found: number, most: number): Claim {
  mustBeFinite(what, found, most);
  return { what: `${what} (at most)`, found, predicted: most, allowance: 0, ok: found <= most };
}

function mustBeFinite(what: string, ...values: readonly number[]): void {
  if (values.every(Number.isFinite)) return;
  throw new DataError(`${what} is ${values[0]}, beside a prediction of ${values[1]}; both must be finite numbers`);
}

/** @throws DataError with the step at which a run diverged that must not. */
export function mustNotDiverge(what: string, loss: number, step: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new DataError(`${what} diverged at step ${step}; lower its rate`);
}
