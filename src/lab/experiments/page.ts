// docs/lab.md: every experiment with its command, its figure and the numbers of a recorded run. `npm run docs` runs those whose
// record is missing, or was made with options other than today's defaults, and writes the page.
import { short } from "../../base/short.ts";
import type { Claim, Experiment } from "./experiment.ts";
import { experiments } from "./index.ts";

/** The contents of docs/lab/NAME.json. */
export interface LabRecord {
  readonly config: Readonly<Record<string, unknown>>;
  readonly backend: string;
  readonly claims: readonly Claim[];
}

/** Whether a record belongs to the experiment as it is now, at its defaults. */
export function isCurrent(experiment: Experiment, record: LabRecord | undefined): record is LabRecord {
  return record !== undefined && JSON.stringify(record.config) === JSON.stringify(experiment.read({}));
}

/** The page; `recordOf` returns the record of a name, if there is one. */
export function labMarkdown(recordOf: (name: string) => LabRecord | undefined): string {
  return `# The lab

An experiment predicts numbers, then measures them: where descent starts to diverge, how far it lags behind a moving minimum, at
which rate it turns chaotic.

\`\`\`sh
npx fallline lab                                  # the experiments
npx fallline lab speed-limit --out out            # runs one; writes out/speed-limit.svg and out/result.json
npx fallline lab tracking --drift 0.05 --json     # with an option; only JSON on stdout
\`\`\`

Each prints what it found, what was predicted, the difference and its allowance, which is relative unless the line says otherwise.
The exit status is 0 if all claims hold, 1 if one fails and 2 for invalid options. \`--backend\` is \`webgpu\`, or \`cpu\` where there
is no WebGPU. In code:

\`\`\`js
import { cpuEngine, lab } from ${JSON.stringify("fallline/train")};
const { claims } = await lab.run("euler", { condition: 50, points: 16 }, { engine: cpuEngine() });
console.log(claims.every(({ ok }) => ok)); // → true
\`\`\`

${experiments.map((experiment) => section(experiment, recordOf(experiment.name))).join("\n\n")}

The numbers are those of runs at the defaults. This page is generated: \`npm run docs\` writes it from the registry and from
docs/lab/, and a test compares them.
`;
}

function section(experiment: Experiment, record: LabRecord | undefined): string {
  const { name, title, options } = experiment;
  const lines = options.map(
    ({ name: option, meaning, allowed, default: standard }) =>
      `\`${option}\` ${JSON.stringify(standard)}: ${meaning} (${allowed})`,
  );
  const figure = isCurrent(experiment, record)
    ? `![${title}.](lab/${name}.svg)

| | found | predicted | allowance |
|---|---|---|---|
${record.claims.map(({ what, found, predicted, allowance }) => `| ${what.replaceAll("|", "\\|")} | ${digits(found)} | ${digits(predicted)} | ${short(allowance)} |`).join("\n")}

`
    : "";
  return `## ${name}

${title}: \`npx fallline lab ${name}\`

${figure}Options: ${lines.join("; ")}.`;
}

const digits = (value: number) => String(Number(value.toPrecision(6)));
