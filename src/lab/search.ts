// A search: successive halving over rule × schedule × rate. Candidates of one rule train side by side; the best of all rules
// go on at each rung, and the one that is left is a run config.
import type { Dataset } from "../data/dataset.ts";
import { OptionError, show } from "../errors.ts";
import { readArray, readChoice, readNumber } from "../options.ts";
import { type OptimizerConfig, rules } from "../rules/index.ts";
import type { Engine } from "../train/engine.ts";
import { type CompleteRunConfig, type RunConfig, readRunConfig } from "../train/run_config.ts";
import { fallbackFor, standardLr } from "./defaults.ts";
import { Cohort, type Entrant, halvingRungs, race } from "./race.ts";
import { type Shape, shapeNames, shapes } from "./shapes.ts";
import { bestOf, spaced, type TrialResult, trialConfig, trialResult } from "./sweep.ts";

export interface SearchOptions {
  /** Names of rules to try; default {@link searchedRules}. */
  readonly rules?: readonly string[] | undefined;
  /** Courses of the rate to try; default constant, cosine, warmupStableDecay. */
  readonly schedules?: readonly Shape[] | undefined;
  /**
   * Highest rates to try, as multiples of the one that suits the rule by experience; default 1/10, 1/3.2, 1, 3.2, 10. Rules
   * that find their own rate are tried at 1 alone.
   */
  readonly rates?: readonly number[] | undefined;
  /**
   * Steps of all runs together; a whole number, default 10 times the run's. As many candidates take part as it allows,
   * those near the usual rates first.
   */
  readonly budget?: number | undefined;
  /** The finalists are evaluated on it. */
  readonly test?: Dataset | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once everything is made. */
  readonly onStart?: ((candidates: number) => void) | undefined;
  /** Hears, after each step of any of them, how every candidate stands. */
  readonly onStep?: ((standing: readonly Standing[]) => void) | undefined;
  readonly onTest?: ((rows: number) => void) | undefined;
}

/** A rule, a course of the rate and its highest value. */
export interface Candidate {
  readonly rule: string;
  readonly schedule: Shape;
  readonly lr: number;
}

export interface Standing extends Candidate {
  readonly entrant: Entrant;
}

/** A search's outcome as JSON. */
export interface SearchResult {
  readonly format: "fallline-search/1";
  /** The run config that came out best, complete; null where every candidate diverged. */
  readonly best: CompleteRunConfig | null;
  readonly bestIndex: number | null;
  readonly candidates: readonly (Candidate & TrialResult)[];
  /** Steps of all runs together. */
  readonly steps: number;
  readonly budget: number;
  readonly interrupted: boolean;
}

/** The rules that a search tries when it is told none: one of each kind. */
export const searchedRules: readonly string[] = ["adamw", "sgd", "lion", "adan", "muon", "prodigy"];

const halvings = 3;

/**
 * Finds a rule, a schedule and a rate for a run within a budget of steps. The config's own options stay for its own rule;
 * others have their defaults, and what stands around the rule (clipping, averages …).
 *
 * @throws OptionError for unknown rules and schedules, and a budget that does not allow for two candidates.
 */
export async function search(
  engine: Engine,
  config: RunConfig,
  data: Dataset,
  options: SearchOptions = {},
): Promise<SearchResult> {
  const { steps } = readRunConfig(config);
  const budget = readNumber("budget", options.budget ?? 10 * steps, { min: 1, integer: true });
  const chosen = withinBudget(candidatesOf(options), steps, budget);
  const { test, signal, onStart, onStep, onTest } = options;
  const cohorts: { readonly cohort: Cohort; readonly candidates: readonly Candidate[] }[] = [];
  try {
    for (const rule of new Set(chosen.map((candidate) => candidate.rule))) {
      const candidates = chosen.filter((candidate) => candidate.rule === rule);
      const trials = candidates.map(({ schedule, lr }) => ({ lr: shapes[schedule](lr, steps) }));
      cohorts.push({
        cohort: await Cohort.create(engine, ruleConfig(config, rule), data, trials, test),
        candidates,
      });
    }
    onStart?.(chosen.length);
    const standing = () =>
      cohorts.flatMap(({ cohort, candidates }) =>
        candidates.map((candidate, i): Standing => ({ ...candidate, entrant: cohort.entrants[i]! })),
      );
    const rungs = halvingRungs(chosen.length, steps, halvings);
    await race(
      cohorts.map(({ cohort }) => cohort),
      rungs,
      () => onStep?.(standing()),
      signal,
    );
    const interrupted = signal?.aborted === true;
    const results: (Candidate & TrialResult)[] = [];
    for (const { cohort, candidates } of cohorts) {
      const finals = test && !interrupted && cohort.running.length > 0 ? await cohort.evaluate(test, onTest) : [];
      candidates.forEach((candidate, i) => {
        results.push({ ...candidate, ...trialResult(cohort.entrants[i]!, finals[i] ?? null) });
      });
    }
    const bestIndex = bestOf(standing().map(({ entrant }) => entrant));
    const best = bestIndex === null ? null : results[bestIndex]!;
    return {
      format: "fallline-search/1",
      best: best && trialConfig(ruleConfig(config, best.rule), best.trial),
      bestIndex,
      candidates: results,
      steps: results.reduce((sum, { losses }) => sum + losses.length, 0),
      budget,
      interrupted,
    };
  } finally {
    for (const { cohort } of cohorts) cohort.destroy();
  }
}

/** Every candidate, those near the usual rate first and the rules in turn. */
function candidatesOf(options: SearchOptions): readonly Candidate[] {
  const names = readArray("rules", options.rules ?? searchedRules, "names of rules").map((name, i) =>
    readChoice(
      `rules[${i}]`,
      name,
      rules.map((rule) => rule.name),
    ),
  );
  const courses = readArray("schedules", options.schedules ?? ["constant", "cosine", "warmupStableDecay"], "names").map(
    (name, i) => readChoice(`schedules[${i}]`, name, shapeNames),
  );
  const multiples = readArray("rates", options.rates ?? spaced({ min: 0.1, max: 10 }, 5), "multiples").map(
    (factor, i) => readNumber(`rates[${i}]`, factor, { above: 0 }),
  );
  for (const [name, list] of Object.entries({ rules: names, schedules: courses, rates: multiples })) {
    if (list.length === 0) throw new OptionError(`${name} is []; it must have at least one entry`);
  }
  const near = [...multiples].sort((a, b) => Math.abs(Math.log(a)) - Math.abs(Math.log(b)));
  return near.flatMap((factor) =>
    courses.flatMap((schedule) =>
      names.flatMap((rule) =>
        findsItsRate(rule) && factor !== near[0]
          ? []
          : [{ rule, schedule, lr: (findsItsRate(rule) ? 1 : factor) * standardLr(rule) }],
      ),
    ),
  );
}

/** Rules whose rate is a factor of one that they work out themselves. */
function findsItsRate(rule: string): boolean {
  return ["prodigy", "dadaptAdam", "dog"].includes(rule);
}

/** As many candidates as a budget of steps allows. */
function withinBudget(candidates: readonly Candidate[], steps: number, budget: number): readonly Candidate[] {
  let count = candidates.length;
  while (count > 1 && raceSteps(count, steps) > budget) count--;
  const least = Math.min(2, candidates.length);
  if (count < least || raceSteps(count, steps) > budget) {
    throw new OptionError(
      `budget is ${show(budget)} steps; ${least} candidates over ${steps} steps need ${raceSteps(least, steps)}`,
    );
  }
  return candidates.slice(0, count);
}

/** Steps that a race of so many takes when nobody diverges. */
function raceSteps(count: number, steps: number): number {
  let [total, done, left] = [0, 0, count];
  for (const { step, keep } of halvingRungs(count, steps, halvings)) {
    total += left * (step - done);
    [done, left] = [step, keep];
  }
  return total;
}

/** What may stand around any rule; groups may name hypers that another rule does not have. */
const around = [
  ...["clip", "skipNonFinite", "maximize", "cautious", "lossScale", "accumulate", "ema", "swa", "lookahead"],
];

/** The run with another rule. */
function ruleConfig(config: RunConfig, rule: string): RunConfig {
  const { optimizer } = config;
  if (optimizer.rule === rule) return config;
  const kept = Object.entries(optimizer).filter(([option]) => around.includes(option));
  return { ...config, optimizer: { rule, ...Object.fromEntries(kept), ...fallbackFor(rule) } as OptimizerConfig };
}
