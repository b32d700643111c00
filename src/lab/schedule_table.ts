// The page of schedules (docs/schedules.md, which `npm run docs` writes): the formula and source of each, and its options
// with their allowed values and defaults, all from the registry.

import { scheduleDefinitions } from "../schedules/index.ts";
import type { ScheduleDefinition, ScheduleOption } from "../schedules/schedule.ts";

/** How the example imports: written so that this file does not import it. */
const library = `from ${JSON.stringify("fallline")}`;

export function scheduleTableMarkdown(): string {
  return `# Schedules

A schedule drives a hyper by the step: every hyper of every rule takes a number, a schedule, or a function of the step.

\`\`\`js
import { adamw, schedules } ${library};
const lr = schedules.cosine({ base: 0.1, steps: 1000 });
const beta1 = schedules.linear({ start: 0.95, end: 0.85, steps: 1000 });
const config = adamw({ lr, beta1, weightDecay: (step) => (step < 100 ? 0 : 0.01) });
console.log(schedules.create(lr).at(500)); // → 0.05
console.log(JSON.stringify(config.lr)); // → {"base":0.1,"steps":1000,"type":"cosine"}
\`\`\`

In JSON a schedule is its type and its options, \`{ "type": "cosine", "base": 0.1, "steps": 1000 }\`, which \`readSchedule\` and
\`readConfig\` read. \`schedules.create(schedule)\` evaluates one: \`.at(t)\` is its value at step t, \`.config\` the config with every
default filled in, which gives the same values to the bit. Unknown types and options are errors.

## Types

t is the step, counted from 0. A schedule with an end keeps its last value after it.

| type | value at step t | source |
|---|---|---|
${scheduleDefinitions.map(({ type, formula, source }) => `| \`${type}\` | ${formula} | ${source} |`).join("\n")}

## Options

The value after a name is its default; an option without one is required. Unless noted otherwise, an option is a finite
number.

${scheduleDefinitions.map(optionsLine).join("\n")}

Schedules may be nested 100 deep and hold at most 100,000 others. A run checks the first million steps of its schedules (for a batch
ten million, which is also the most a run may have), fewer where a schedule holds more than ten others. Any schedule in JSON may say
\`"version": 1\`; another version is an error.

## Short forms

- \`schedules.halveEvery({ base, every })\` is \`step\` with \`gamma\` 0.5.
- \`schedules.multiStep({ base, fractions: [0.3, 0.6, 0.9], steps })\` divides by ten at 30, 60 and 90 % of a run.
- \`schedules.oneCycleMomentum({ steps })\` is the momentum (or \`beta1\`) to go with \`oneCycle\`, from 0.95 to 0.85 and back; give
  both the same \`steps\`, \`pctStart\`, \`anneal\` and \`threePhase\`.

## Plateaus

A \`plateau\` follows the metric that you report with \`optimizer.observe(metric)\`, wherever it is in a config
([example](learning_rate.md#plateaus-and-early-stopping)). Its state is saved with the optimizer. A metric that is not finite counts
as no improvement.

## Curvature

A \`curvature\` schedule follows the sharpness that a run measures every few steps (\`"curvature": { "every": 50 }\`), or that
you report with \`optimizer.observe(sharpness, { of: "sharpness" })\`. Before the first measurement it is \`base\`. Its state is saved
with the optimizer. A sharpness of 0 or below sets no limit and changes nothing.

## Plots

\`npx fallline schedule CONFIG --steps N\` plots a schedule in the terminal. CONFIG is JSON, a JSON file, or a run file, whose
learning rate is plotted. \`--svg FILE\` writes a chart, \`--json\` prints \`{"values":[…]}\` alone. For a plateau or a curvature,
\`--metrics FILE\` is a JSON array of numbers, one observed before each value. With a run file, one is observed after each
\`metric.every\` steps, by default the run's own.

## Batch size

\`batchGrowth\` is a schedule for the batch size; \`batchScaled\` gives the rate that belongs to it:

\`\`\`json
${JSON.stringify(coupled, null, 2)}
\`\`\`

The rate stays at 0.1 while the batch doubles every 100 steps. Once the batch is at its largest, the rate halves instead.

This page is generated: \`npm run docs\` writes it from the registry, and a test compares the two.
`;
}

const halving = { type: "step", base: 0.1, every: 100, gamma: 0.5 };

/** The example of a rate coupled to a growing batch. */
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
  const said = [...(optional ? ["optional"] : []), ...(short(allowed) ? [short(allowed)] : [])].join("; ");
  return `\`${name}\`${value}${said ? ` (${said})` : ""}`;
}

const short = (allowed: string) =>
  allowed
    .replace(/a finite number ?/, "")
    .replace(/a whole number/, "whole")
    .replace(`${Number.MAX_SAFE_INTEGER}]`, "2^53)");
