// Phrases that the command line, the page and the charts share: titles, and how a range test ended.
import { short } from "../base/short.ts";
import type { Role } from "../optimizer/optimizer.ts";
import type { WatchEvent } from "../train/findings.ts";
import { type RunConfig, trainableOf } from "../train/run_config.ts";
import type { RangeTestResult } from "./lr_finder.ts";

/** The title of a run's charts. */
export function runTitle({ optimizer, data, ...config }: RunConfig): string {
  const { rule } = optimizer;
  const { title, needsData } = trainableOf(config).program;
  const on = data && "path" in data ? data.path.replace(/^.*[/\\](?=.)/, "") : (data?.type ?? "mnist");
  return `${title}${needsData ? ` on ${on === "mnist" ? "MNIST" : on}` : ""}, ${typeof rule === "string" ? rule : rule.name}`;
}

/** What a run trains: "784-32-10", "rosenbrock". */
export function programTitle(config: Pick<RunConfig, "model" | "landscape" | "objective">): string {
  return trainableOf(config).program.title;
}

/** That a run diverged, the step, the symptom and the remedy, in one clause; null for findings of another kind. */
export function divergedPhrase(event: WatchEvent): string | null {
  if (event.kind !== "nonFiniteLoss" && event.kind !== "diverging") return null;
  const { step } = event;
  if (event.kind === "nonFiniteLoss" && event.last === null && step === 1) {
    return `diverged at step 1: the loss is not finite before any update; ${event.remedy}`;
  }
  const seen =
    event.kind === "diverging"
      ? `the smoothed loss has risen to ${short(event.loss)}, from ${short(event.best)} at step ${event.bestStep}`
      : `the loss is no longer finite${event.last === null ? "" : `, after ${short(event.last)}`}`;
  return `diverged at step ${step}: ${seen}; lower the learning rate to a third or less, or find one with a range test`;
}

/** The parameters that a run was tested with, in one clause; null if they are the trained ones. */
export function testedPhrase(role: Role): string | null {
  if (role === "params") return null;
  return role === "evaluation"
    ? "tested at the rule's evaluation point, which is the one to use"
    : `tested with the average (${role}), which is the one to use`;
}

/** The error of predictions by column, in one clause. */
export function rmsePhrase(rmse: Readonly<Record<string, number>>): string {
  const each = Object.entries(rmse).map(([name, value]) => `${short(value)} in ${name}`);
  return `RMSE ${each.join(", ")}`;
}

/** How a range test ended and at which rate, in one clause. */
export function endPhrase({
  ramp: { steps },
  points,
  ended,
  endedAt,
}: Pick<RangeTestResult, "ramp" | "points" | "ended" | "endedAt">): string {
  if (endedAt === null) return "stopped before the first step";
  const [made, rate] = [`${points.length} of ${steps} steps`, `a rate of ${short(endedAt)}`];
  switch (ended) {
    case "complete":
      return `made all ${steps} steps up to ${rate}`;
    case "diverged":
      return `ended after ${made}: the smoothed loss diverged at ${rate}`;
    case "nonFinite":
      return `ended after ${made}: the loss was not finite at ${rate}`;
    case "aborted":
      return `stopped after ${made}, at ${rate}`;
  }
}
