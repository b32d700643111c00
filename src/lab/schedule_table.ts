// The page of schedules (docs/schedules.md, which `npm run docs` writes): the formula and source of each, and its options
// with what they may be and their defaults, all from the registry.
import type { ScheduleDefinition, ScheduleOption } from "../schedule.ts";
import { scheduleDefinitions } from "../schedules/index.ts";

export function scheduleTableMarkdown(): string {
  return `# Schedules

\`npm run docs\` writes this page from the registry; \`test/unit/schedules_doc.test.ts\` holds it to that.

Every hyper of every rule takes a number, the config of a schedule or a function of the step. A config is plain JSON,
\`{ "type": "cosine", "base": 0.1, "steps": 1000 }\`; the library has a function of each type's name that makes it,
\`cosine({ base: 0.1, steps: 1000 })\`. Unknown types and options are errors. \`createSchedule(config)\` reads one: \`.at(t)\`
is its value, \`.config\` the complete config, which rebuilds the same values to the bit. Any config, those inside others
too, may say \`"version": 1\`; another version is an error. Schedules may lie at most 100 deep in each other, and at most
100,000 in one. Before a run its first million steps are looked at (ten million of a batch's, which a run may not exceed),
fewer where a schedule holds more than ten others.

t is the step, counted from 0. A schedule with an end keeps its last value after it.

| type | value at step t | source |
|---|---|---|
${scheduleDefinitions.map(({ type, formula, source }) => `| \`${type}\` | ${formula} | ${source} |`).join("\n")}

## Options

The number behind a name is its default; what has none must be given. Where nothing else is said, an option is a finite
number.

${scheduleDefinitions.map(optionsLine).join("\n")}

## Short forms

- \`halveEvery({ base, every })\` is \`step\` with \`gamma\` 0.5.
- \`multiStep({ base, fractions: [0.3, 0.6, 0.9], steps })\` divides by ten at 30, 60 and 90 % of a run.
- \`oneCycleMomentum({ steps })\` is the momentum (or \`beta1\`) that goes with \`oneCycle\`: from 0.95 to 0.85 and back, as a
  \`oneCycle\` turned upside down; give both the same \`steps\`, \`pctStart\`, \`anneal\` and \`threePhase\`.

## What hears a metric

A \`plateau\` changes with what \`optimizer.observe(metric)\` tells it, wherever in a config it stands; what it has heard is
saved with the optimizer. A metric that is not finite counts as no improvement.

## Looking at one

\`npx fallline schedule CONFIG --steps N\` plots a schedule in the terminal: CONFIG is JSON or a file of it, or a run's file,
whose learning rate it takes. \`--svg FILE\` writes a chart instead, \`--json\` prints \`{"values":[…]}\` alone. A plateau needs
\`--metrics FILE\`, a JSON array of numbers of which it hears one before each value; in a run's file it hears one after each
\`metric.every\` steps, by default those that the run had.

## The batch

\`batchGrowth\` is a batch size, for the loop that draws the batches; \`batchScaled\` makes the rate that belongs to it:

\`\`\`json
${JSON.stringify(coupled, null, 2)}
\`\`\`

The rate stays 0.1 while the batch doubles every 100 steps, and once that is at its largest is halved in its place.
`;
}

const halving = { type: "step", base: 0.1, every: 100, gamma: 0.5 };

/** The example of a rate that goes with a growing batch. */
export const coupled = {
  type: "batchScaled",
  schedule: halving,
  batch: { type: "batchGrowth", base: 32, rate: halving, max: 256 },
  baseBatch: 32,
  rule: "linear",
};

function optionsLine({ type, options }: ScheduleDefinition): string {
  return `- \`${type}\`: ${options.map(optionText).join(", ")}`;
}

function optionText({ name, allowed, default: standard, optional }: ScheduleOption): string {
  const value = standard === undefined ? "" : ` ${JSON.stringify(standard)}`;
  const said = [...(optional ? ["may be left out"] : []), ...(short(allowed) ? [short(allowed)] : [])].join("; ");
  return `\`${name}\`${value}${said ? ` (${said})` : ""}`;
}

const short = (allowed: string) =>
  allowed
    .replace(/a finite number ?/, "")
    .replace(/a whole number/, "whole")
    .replace(`${Number.MAX_SAFE_INTEGER}]`, "2^53)");
