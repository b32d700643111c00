// Writes docs/rates.md: how good the suggestions of range tests are, on jobs of many kinds. Each job is swept over the default
// rates of a sweep and the suggested ones, every run to its end. Takes minutes on the CPU reference.

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { loadMnist } from "../src/app/cli/data.ts";
import { Random } from "../src/base/random.ts";
import { short } from "../src/base/short.ts";
import { createCpuOptimizer } from "../src/engines/cpu/optimizer.ts";
import { fallbackFor, jobConfig, labDefaults, usualRate } from "../src/lab/defaults.ts";
import { findLr, type RangeTestResult, rangeTest } from "../src/lab/lr_finder.ts";
import { scheduleShapes } from "../src/lab/schedule_shapes.ts";
import { spaced, sweep } from "../src/lab/sweep.ts";
import { arrayDataset } from "../src/objectives/data/arrays.ts";
import { parseCsv } from "../src/objectives/data/csv.ts";
import type { Dataset } from "../src/objectives/data/dataset.ts";
import { digitsDataset } from "../src/objectives/data/digits.ts";
import type { LandscapeConfig } from "../src/objectives/landscapes/define.ts";
import { createLandscape } from "../src/objectives/landscapes/index.ts";
import type { ModelConfig } from "../src/objectives/models/index.ts";
import { createCpuObjective } from "../src/objectives/objective_cpu.ts";
import { initialTensors } from "../src/objectives/program.ts";
import type { OptimizerConfig } from "../src/optimizer/config.ts";
import { readRule } from "../src/optimizer/read_config.ts";
import { adam } from "../src/rules/adam.ts";
import type { Rule } from "../src/rules/rule.ts";
import { sgd } from "../src/rules/sgd.ts";
import type { Scheduled } from "../src/schedules/schedule.ts";
import { cpuEngine } from "../src/train/engine.ts";
import type { RunConfig } from "../src/train/run_config.ts";

const steps = 300;

const digits = digitsDataset(readFileSync("test/golden/digits.json", "utf8"));

/** Three overlapping clouds, as a CSV file. */
function clouds() {
  const random = new Random(1);
  const lines = Array.from({ length: 300 }, (_, i) => {
    const angle = (i % 3) * 2.1;
    const cells = [2 * Math.cos(angle) + random.normal(), 2 * Math.sin(angle) + random.normal(), 3 * random.normal()];
    return [...cells, ["red", "green", "blue"][i % 3]].join();
  });
  return parseCsv(`x,y,noise,colour\n${lines.join("\n")}\n`);
}

/** A noisy wave, a function of two numbers. */
function wave() {
  const random = new Random(2);
  const inputs = Array.from({ length: 400 }, () => [4 * random.uniform() - 2, 4 * random.uniform() - 2] as const);
  return arrayDataset({ inputs, targets: inputs.map(([x, y]) => [Math.sin(2 * x) + y / 2 + 0.1 * random.normal()]) });
}

/** A noisy linear function of eight numbers of different sizes. */
function line() {
  const random = new Random(3);
  const inputs = Array.from({ length: 400 }, () => Array.from({ length: 8 }, (_, j) => random.normal() / (1 + j)));
  const value = (row: readonly number[]) => row.reduce((sum, x, j) => sum + x * (j + 1), 0);
  return arrayDataset({ inputs, targets: inputs.map((row) => [value(row) + random.normal() / 2]) });
}

const network = { layers: [64, 32, 10] };
const squares = "meanSquaredError" as const;

/** Name, data, model, optimizer, whether the rate is constant. */
const jobs: readonly [string, Dataset, ModelConfig, { rule: string; momentum?: number }, boolean?][] = [
  ["digits, 64-32-10", digits, network, { rule: "sgd" }, true],
  ["digits, 64-32-10", digits, network, { rule: "sgd", momentum: 0.9 }],
  ["digits, 64-32-10", digits, network, { rule: "adamw" }],
  ["digits, 64-32-10", digits, network, { rule: "lion" }],
  ["digits, 64-32-10", digits, network, { rule: "muon" }],
  ["digits, 64-32-10", digits, network, { rule: "rmsprop" }, true],
  ["digits, 64-32-32-10, tanh", digits, { layers: [64, 32, 32, 10], activation: "tanh" }, { rule: "adam" }],
  ["digits, softmax regression", digits, { layers: [64, 10] }, { rule: "sgd" }],
  ["digits, rnn of 8 × 8", digits, { type: "rnn", inputs: 8, steps: 8, hidden: 16, outputs: 10 }, { rule: "adam" }],
  ["clouds in a CSV, 3-16-3", clouds(), { layers: [3, 16, 3] }, { rule: "adamw" }],
  [
    "a wave, 2-32-1, squared error",
    wave(),
    { layers: [2, 32, 1], activation: "tanh", loss: squares },
    { rule: "adamw" },
  ],
  ["a line, linear regression (a quadratic)", line(), { layers: [8, 1], loss: squares }, { rule: "sgd" }, true],
];

/** The rates of a sweep without options. */
const ratesOf = (rule: Rule) => spaced({ min: usualRate(rule) / 1000, max: usualRate(rule) * 100 }, 16);

const rows: string[][] = [];

/** Adds a row: the result of each rate, by rate. */
function add(
  job: readonly string[],
  found: RangeTestResult,
  finals: ReadonlyMap<number, number | null>,
  rates: readonly number[],
): void {
  const lossOf = (lr: number) => finals.get(lr) ?? Number.POSITIVE_INFINITY;
  const best = rates.reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a));
  const cell = (lr: number | null) => {
    if (lr === null) return "–";
    const ratio = lossOf(lr) / lossOf(best);
    const word = Number.isFinite(ratio) ? `${ratio < 100 ? ratio.toFixed(2) : short(ratio)} ×` : "diverged";
    return `${short(lr)} (${ratio > 1.1 ? `**${word}**` : word})`;
  };
  const { suggested, suggestions } = found;
  const row = [
    ...job,
    `${short(best)} (${short(lossOf(best))})`,
    cell(suggested.lr),
    cell(suggestions.fall.lr),
    cell(suggestions.valley.lr),
  ];
  rows.push(row);
  console.log(row.join(" | "));
}

const engine = cpuEngine();
const candidates = ({ suggested, suggestions }: RangeTestResult) =>
  [suggested.lr, suggestions.fall.lr, suggestions.valley.lr].filter((lr) => lr !== null);

async function job(
  name: string,
  data: Dataset,
  config: RunConfig,
  rateOf: (lr: number) => Scheduled,
  course: string,
): Promise<void> {
  const { rule, momentum } = config.optimizer as OptimizerConfig & { readonly momentum?: number };
  const found = await findLr({ engine, ...config, data });
  const rates = ratesOf(rule);
  const all = [...new Set([...rates, ...candidates(found)])];
  const { trials } = await sweep({
    engine,
    ...config,
    data,
    trials: all.map((lr) => ({ lr: rateOf(lr) })),
    halving: null,
  });
  const finals = new Map(
    trials.map(({ finalLoss, verdict }, i): [number, number | null] => [
      all[i]!,
      verdict.state === "diverged" ? null : finalLoss,
    ]),
  );
  const title = `${rule}${momentum === undefined ? "" : `, momentum ${momentum}`}`;
  add([name, title, course], found, finals, rates);
}

export async function main(): Promise<void> {
  const standard = jobConfig(labDefaults);
  await job(
    `MNIST, ${labDefaults.model}, the standard of find-lr and sweep`,
    (await loadMnist()).train,
    standard,
    (lr) => scheduleShapes.cosine(lr, steps),
    "cosine",
  );
  for (const [name, data, model, optimizer, isConstant = false] of jobs) {
    const rateOf = (lr: number) => (isConstant ? lr : scheduleShapes.cosine(lr, steps));
    const rule = readRule("rule", optimizer.rule);
    const config: RunConfig = {
      model,
      init: { seed: 1 },
      optimizer: {
        ...optimizer,
        rule,
        lr: rateOf(usualRate(rule)),
        ...fallbackFor(rule),
      },
      batch: 32,
      steps,
      seed: 1,
    };
    await job(name, data, config, rateOf, isConstant ? "constant" : "cosine");
  }

  for (const [name, landscape, rule] of [
    ["quadratic of 20 coordinates, condition 100", { type: "quadratic", dimension: 20 }, sgd],
    ["Rosenbrock's valley", { type: "rosenbrock" }, adam],
  ] satisfies [string, LandscapeConfig, typeof sgd | typeof adam][]) {
    const land = createLandscape(landscape);
    const open = (lr: number) => {
      const optimizer = createCpuOptimizer(initialTensors(land), { rule, lr });
      return { optimizer, objective: createCpuObjective(optimizer, land) };
    };
    const { optimizer, objective } = open(1e-3);
    const found = await rangeTest(optimizer, async () => (await objective.step()).loss);
    const rates = ratesOf(rule);
    const finals = new Map<number, number | null>();
    for (const lr of [...rates, ...candidates(found)]) {
      const run = open(lr);
      let loss = 0;
      let isLost = false;
      for (let i = 0; i < steps && !isLost; i++) {
        ({ loss } = await run.objective.step());
        isLost = !(Number.isFinite(loss) && loss < 1e6);
      }
      finals.set(lr, isLost ? null : loss);
    }
    add([name, rule.name, "constant"], found, finals, rates);
  }

  const titles = ["job", "rule", "rate", "sweep's best (loss)", "suggested (loss)", "fall", "valley"];
  const table = [titles, titles.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const text = `# Rates that range tests suggest

This page compares the rates that range tests suggest with the best of a sweep, on jobs of many kinds. \`npm run rates\` writes it, in
minutes on the CPU reference, with the same result on every machine.

Every job runs for ${steps} steps in batches of 32. A *loss* is the mean of about the last ten. *sweep's best* is the best of 16 rates, the
defaults of a sweep, all run to their end. The other columns give a rate and, in brackets, its loss relative to that best one:
\`suggested\` is what \`tuning.findLr\` (\`tuning.rangeTest\` for landscapes) suggests by default, after short runs; \`fall\` and
\`valley\` are readings of the ramp alone. **Bold** is more than 10 % above the best. *Cosine* is the schedule of \`fallline train\`, a
warm-up and half a cosine, whose highest value is the rate.

${table}
`;
  await writeFile("docs/rates.md", text);
}
