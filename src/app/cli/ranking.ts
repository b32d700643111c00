// The standings of runs side by side, as a table for the terminal.

import { short } from "../../base/short.ts";
import type { Entrant, Trial } from "../../lab/race.ts";
import type { Scheduled } from "../../schedules/schedule.ts";
import { createSchedule } from "../../schedules/schedule.ts";
import type { CompleteRunConfig } from "../../train/run_config.ts";

/** A trial in a few words; a schedule is shown by its highest value. */
export function trialTitle({ steps }: Pick<CompleteRunConfig, "steps">, trial: Trial): string {
  return Object.entries(trial)
    .map(([hyper, value]) => `${hyper} ${short(highest(value, steps))}`)
    .join("  ");
}

function highest(value: Scheduled, steps: number): number {
  const { at, constant } = createSchedule(value);
  if (constant !== undefined) return constant;
  let most = Number.NEGATIVE_INFINITY;
  for (let step = 0; step < steps; step++) most = Math.max(most, at(step));
  return most;
}

/** The parts of a run that the table shows. */
export type Ranked = Pick<Entrant, "losses" | "score" | "verdict" | "stopped">;

/** One line for each run: its trial, progress, loss and state. */
export function rankingTable<E extends Ranked>(
  entrants: readonly E[],
  words: (entrant: E) => string,
  steps: number,
): readonly string[] {
  const names = entrants.map(words);
  const width = Math.max(6, ...names.map((name) => name.length)) + 2;
  const whole = entrants.filter(({ score }) => Number.isFinite(score));
  const furthest = Math.max(0, ...whole.map(({ losses }) => losses.length));
  const ahead = Math.min(...whole.filter(({ losses }) => losses.length === furthest).map(({ score }) => score));
  return [
    `${"run".padEnd(width)}${"step".padStart(6)}${"loss".padStart(11)}  state`,
    ...entrants.map((entrant, i) => {
      const { losses, score } = entrant;
      const loss = Number.isFinite(score) ? score.toPrecision(4) : String(losses[losses.length - 1] ?? "-");
      const best = losses.length === furthest && score === ahead && furthest > 0 ? "  ← best" : "";
      const step = String(losses.length).padStart(6);
      return `${names[i]!.padEnd(width)}${step}${loss.padStart(11)}  ${statePhrase(entrant, steps)}${best}`;
    }),
  ];
}

function statePhrase({ verdict, losses, stopped }: Ranked, steps: number): string {
  if (stopped === "diverged" || verdict.state === "diverged")
    return `diverged at step ${verdict.since || losses.length}`;
  const { state: word, since } = verdict;
  const lasts = word === "oscillating" || word === "stalled";
  const state = word === "waiting" ? "not falling yet" : lasts ? `${word} since step ${since}` : word;
  if (stopped === "behind") return `${state}, stopped: others were ahead`;
  return losses.length === steps ? `${state}, done` : state;
}

/** The table in one line; `done` is the overall progress. */
export function rankingLine(entrants: readonly Ranked[], done: string): string {
  const running = entrants.filter(({ stopped }) => stopped === null).length;
  const best = Math.min(...entrants.map(({ score }) => score));
  return `${done}: ${running} of ${entrants.length} runs left, lowest loss ${Number.isFinite(best) ? best.toPrecision(4) : "-"}`;
}
