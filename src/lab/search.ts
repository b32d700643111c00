// A search: successive halving over rule × schedule × rate. Candidates of one rule train side by side; at each rung the best
// of all rules go on, and the last one left is a run config.

import { OptionError, show } from "../base/errors.ts";
import { readArray, readNumber } from "../base/options.ts";
import { readName } from "../base/words.ts";
import { accumulateOf, type ModifierConfig, readModifiers } from "../modifiers/modifier.ts";
import type { Dataset } from "../objectives/data/dataset.ts";
import type { OptimizerConfig } from "../optimizer/config.ts";
import { readConfig, readRule } from "../optimizer/read_config.ts";
import type { Rule } from "../rules/rule.ts";
import type { Engine } from "../train/engine.ts";
import { openJob, ownJob, type RunJob } from "../train/job.ts";
import { type CompleteRunConfig, type RunConfig, readRunConfig, updatesOf } from "../train/run_config.ts";
import { fallbackFor, usualRate } from "./defaults.ts";
import { Cohort, type Entrant, halvingRungs, race } from "./race.ts";
import { type ScheduleShape, scheduleShapeNames, scheduleShapes } from "./schedule_shapes.ts";
import { bestOf, mustUpdate, type TrialResult, trialConfig, trialResult } from "./sweep.ts";

/** The options of {@link search}. */
export interface SearchOptions {
  /** Names of rules to try; default adamw, sgd, lion and prodigy. */
  readonly rules?: readonly string[] | undefined;
  /** Schedules of the rate to try; default constant and cosine. */
  readonly schedules?: readonly ScheduleShape[] | undefined;
  /**
   * Highest rates to try, as multiples of the usual rate of each rule; default 1/4, 1 and 4. Rules
   * that find their own rate are tried at 1 alone.
   */
  readonly rates?: readonly number[] | undefined;
  /**
   * Steps of all runs together; a whole number, default 7 times the run's. As many candidates take part as it allows,
   * those near the usual rates first.
   */
  readonly budget?: number | undefined;
  /** Ends the search with the results so far. */
  readonly signal?: AbortSignal | undefined;
  /** Called once everything is made. */
  readonly onStart?: ((candidates: number) => void) | undefined;
  /** Called after each step with the ranking of all candidates. */
  readonly onStep?: ((ranking: readonly Ranked[]) => void) | undefined;
  /** Called with the number of rows tested. */
  readonly onTest?: ((rows: number) => void) | undefined;
}

/** A run to find a rule, a schedule and a rate for. The finalists are tested. */
export interface SearchJob extends RunJob, SearchOptions {}

/** A rule, a schedule of the rate and its highest value. */
export interface Candidate {
  /** The rule's name. */
  readonly rule: string;
  /** The schedule's shape. */
  readonly schedule: ScheduleShape;
  /** The peak learning rate. */
  readonly lr: number;
}

/** A candidate and its run. */
export interface Ranked extends Candidate {
  /** The candidate's run so far. */
  readonly entrant: Entrant;
}

/** A search's outcome as JSON. */
export interface SearchResult {
  /** The format and its version. */
  readonly format: "fallline-search/1";
  /** The complete config of the best run; null if all candidates diverged, or it was stopped before all had come as far. */
  readonly best: CompleteRunConfig | null;
  /** The best candidate's place in `candidates`; null where none finished. */
  readonly bestIndex: number | null;
  /** All candidates. */
  readonly candidates: readonly (Candidate & TrialResult)[];
  /** Steps of all runs together. */
  readonly steps: number;
  /** The most steps of all candidates together. */
  readonly budget: number;
  /** Whether a signal ended the search. */
  readonly interrupted: boolean;
}

/** The rules that a search tries by default: cheap ones, each of a different kind. */
export const searchedRules: readonly string[] = ["adamw", "sgd", "lion", "prodigy"];

/** The schedules of the rate that a search tries by default. */
export const searchedShapes: readonly ScheduleShape[] = ["constant", "cosine"];

const halvings = 3;

const searchOptions: readonly (keyof SearchOptions)[] = [
  ...(["rules", "schedules", "rates", "budget", "signal", "onStart", "onStep", "onTest"] as const),
];

/**
 * Finds a rule, a schedule and a rate for a run within a budget of steps. The config's own options stay for its own rule;
 * others have their defaults, modifiers (clipping, averages …), and those parts of groups that carry over: frozen,
 * an `lrScale`, a rule of their own or no weight decay.
 *
 * @throws OptionError for unknown rules and schedules, and a budget that does not allow for two candidates.
 */
export async function search(given: SearchJob): Promise<SearchResult> {
  const job = ownJob(given);
  const { engine, config, data, test, close } = await openJob("search", job, searchOptions);
  try {
    return await searchOn(engine, config, data, test, job);
  } finally {
    close();
  }
}

async function searchOn(
  engine: Engine,
  config: RunConfig,
  data: Dataset | undefined,
  test: Dataset | undefined,
  options: SearchOptions,
): Promise<SearchResult> {
  const { complete, chosen, budget, steps, accumulate } = planSearch(config, options);
  const { signal, onStart, onStep, onTest } = options;
  const cohorts: { readonly cohort: Cohort; readonly candidates: readonly Candidate[] }[] = [];
  try {
    for (const rule of new Set(chosen.map((candidate) => candidate.rule))) {
      const candidates = chosen.filter((candidate) => candidate.rule === rule);
      const trials = candidates.map(({ schedule, lr }) => ({ lr: scheduleShapes[schedule](lr, updatesOf(complete)) }));
      cohorts.push({
        cohort: await Cohort.create(engine, ruleConfig(config, rule), data, trials, test),
        candidates,
      });
    }
    onStart?.(chosen.length);
    const ranking = () =>
      cohorts.flatMap(({ cohort, candidates }) =>
        candidates.map((candidate, i): Ranked => ({ ...candidate, entrant: cohort.entrants[i]! })),
      );
    const rungs = halvingRungs(chosen.length, steps, halvings, { accumulate });
    await race(
      cohorts.map(({ cohort }) => cohort),
      rungs,
      () => onStep?.(ranking()),
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
    // Rules take turns on the way to a rung: if stopped in between, those ahead are not better for it.
    const running = ranking().filter(({ entrant }) => entrant.stopped === null);
    const level = new Set(running.map(({ entrant }) => entrant.losses.length)).size <= 1;
    const bestIndex = level ? bestOf(ranking().map(({ entrant }) => entrant)) : null;
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

/**
 * Reads a search and chooses who takes part, before anything is made.
 *
 * @throws OptionError as {@link search} does.
 */
export function planSearch(config: RunConfig, options: SearchOptions) {
  const complete = readRunConfig(config);
  mustUpdate(complete);
  const { steps } = complete;
  const accumulate = accumulateOf(complete.optimizer);
  const budget = readNumber("budget", options.budget ?? 7 * steps, { min: 1, integer: true });
  const chosen = withinBudget(candidatesOf(options), budget, steps, accumulate);
  return { complete, chosen, budget, steps, accumulate };
}

/** Every candidate, those near the usual rate first and the rules in turn. */
function candidatesOf(options: SearchOptions): readonly Candidate[] {
  const given = new Set(readArray("rules", options.rules ?? searchedRules, "names of rules"));
  const rules = [...given].map((name, i) => readRule(`rules[${i}]`, name));
  const courses = readArray("schedules", options.schedules ?? searchedShapes, "names").map((name, i) =>
    readName(`schedules[${i}]`, name, scheduleShapeNames),
  );
  const multiples = readArray("rates", options.rates ?? [0.25, 1, 4], "multiples").map((factor, i) =>
    readNumber(`rates[${i}]`, factor, { above: 0 }),
  );
  for (const [name, list] of Object.entries({ rules, schedules: courses, rates: multiples })) {
    if (list.length === 0) throw new OptionError(`${name} is []; it must have at least one entry`);
  }
  const near = [...multiples].sort((a, b) => Math.abs(Math.log(a)) - Math.abs(Math.log(b)));
  return near.flatMap((factor) =>
    courses.flatMap((schedule) =>
      rules.flatMap((rule) =>
        rule.findsRate && factor !== near[0]
          ? []
          : [{ rule: rule.name, schedule, lr: (rule.findsRate ? 1 : factor) * usualRate(rule) }],
      ),
    ),
  );
}

/** As many candidates as a budget of steps allows. */
function withinBudget(
  candidates: readonly Candidate[],
  budget: number,
  steps: number,
  accumulate: number,
): readonly Candidate[] {
  const cost = (count: number) => raceSteps(count, steps, accumulate);
  let count = candidates.length;
  while (count > 1 && cost(count) > budget) count--;
  const least = Math.min(2, candidates.length);
  if (count < least || cost(count) > budget) {
    throw new OptionError(
      `budget is ${show(budget)} steps; ${least} candidates over ${steps} steps need ${cost(least)}`,
    );
  }
  return candidates.slice(0, count);
}

/** Steps of a race of so many if none diverges. */
function raceSteps(count: number, steps: number, accumulate: number): number {
  let [total, done, left] = [0, 0, count];
  for (const { step, keep } of halvingRungs(count, steps, halvings, { accumulate })) {
    total += left * (step - done);
    [done, left] = [step, keep];
  }
  return total;
}

/** The run with another rule. */
function ruleConfig(config: RunConfig, name: string): RunConfig {
  const optimizer = readConfig(config.optimizer);
  const rule = readRule("rule", name);
  if (optimizer.rule === rule) return config;
  const { modifiers = [] } = optimizer;
  const groups = groupsFor(rule, optimizer);
  return {
    ...config,
    optimizer: {
      rule,
      modifiers: modifiers.filter((modifier) => suits(modifier, rule)),
      ...fallbackFor(rule),
      ...(groups.length > 0 ? { groups } : {}),
    },
  };
}

/** Whether a modifier goes with a rule. */
function suits(config: ModifierConfig, rule: Rule): boolean {
  const surroundings = { rules: [rule], segments: [], skips: true };
  const [active] = readModifiers(rule.name, [config]);
  return active === undefined || active.modifier.refusal(active, surroundings) === undefined;
}

/**
 * Groups under another rule: frozen, scaled and undecayed ones stay so; rates and other hypers that suit
 * the config's rule are left out.
 */
function groupsFor(rule: Rule, { groups = [] }: OptimizerConfig): NonNullable<OptimizerConfig["groups"]> {
  const decays = Object.hasOwn(rule.hypers, "weightDecay");
  return groups.flatMap((group) => {
    if (group.rule !== undefined) return [group];
    const { params, lrScale, frozen, weightDecay } = group;
    const kept = Object.entries({ lrScale, frozen, weightDecay: decays && weightDecay === 0 ? 0 : undefined });
    const given = kept.filter(([, value]) => value !== undefined);
    return given.length > 0 ? [{ params, ...Object.fromEntries(given) }] : [];
  });
}
