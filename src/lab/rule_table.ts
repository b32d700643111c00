// The page of rules (docs/rules.md, which `npm run docs` writes): the state, memory traffic and dispatches of a step of each rule,
// computed from the registry, and every option with its default and range. test/gpu/counts.test.ts compares the dispatches
// with those made on a device.

import { describeRange } from "../base/options.ts";
import { jordan, newtonSchulz } from "../engines/stages/newton_schulz.ts";
import { modifierNotes, modifiers } from "../modifiers/index.ts";
import type { ModifierCost } from "../modifiers/modifier.ts";
import { rules } from "../rules/index.ts";
import type { Rule } from "../rules/rule.ts";
import { type Options, optionSets } from "./option_sets.ts";
import { type Cost, costOf } from "./step_cost.ts";

/** How the example imports: written so that this file does not import it. */
const library = `from ${JSON.stringify("fallline")}`;

/** Elementwise, with sums over each tensor, with sums over all tensors, with matrix products. */
export type RuleClass = "E" | "T" | "R" | "M";

/** How one option, alone, changes the slots that are kept. */
export interface SlotChange {
  readonly option: string;
  readonly value: number | boolean;
  readonly adds: readonly string[];
  readonly drops: readonly string[];
}

/** A rule under its default options. */
export interface RuleRow extends Cost {
  readonly name: string;
  readonly class: RuleClass;
  readonly slots: readonly string[];
  readonly changes: readonly SlotChange[];
  /**
   * Further dispatches for all matrices of one shape, whose products `moved` leaves out: if nearly square, and if
   * at least twice as long as wide.
   */
  readonly perShape: readonly [square: number, long: number] | undefined;
  /** For a rule that factors matrices: the cost of vectors. */
  readonly vectors: Cost | undefined;
  readonly source: string;
}

export function ruleTable(): readonly RuleRow[] {
  return rules.map((rule) => {
    const slots = slotsUnder(rule, {});
    return {
      name: rule.name,
      class: classOf(rule),
      slots,
      changes: slotChanges(rule),
      ...costOf(rule, slots, rule.factored !== undefined),
      perShape: rule.orthogonalises && [newtonSchulz([1, 1], jordan).length, newtonSchulz([1, 2], jordan).length],
      vectors: rule.factored ? costOf(rule, slots, false) : undefined,
      source: rule.source,
    };
  });
}

function classOf({ reduction, orthogonalises }: Rule): RuleClass {
  if (orthogonalises) return "M";
  if (!reduction) return "E";
  return reduction.scope === "tensor" ? "T" : "R";
}

/** The slots that a rule keeps with these options away from their defaults. */
export function slotsUnder(rule: Rule, options: Options): readonly string[] {
  const flags = Object.fromEntries(
    Object.entries(rule.flags).map(([flag, standard]) => [flag, (options[flag] as boolean | undefined) ?? standard]),
  );
  const used = (hyper: string) => (options[hyper] ?? rule.hypers[hyper]!.default) !== 0;
  return rule.activeSlots?.(flags, used) ?? rule.slots;
}

function slotChanges(rule: Rule): SlotChange[] {
  const standard = slotsUnder(rule, {});
  const away: Options = Object.assign({}, ...optionSets(rule));
  const zeros = Object.keys(rule.hypers).map((hyper): [string, number] => [hyper, 0]);
  const values = Object.entries(away).filter(([option]) => option in rule.hypers || option in rule.flags);
  return [...values, ...zeros].flatMap(([option, value]) => {
    const slots = slotsUnder(rule, { [option]: value });
    const adds = slots.filter((slot) => !standard.includes(slot));
    const drops = standard.filter((slot) => !slots.includes(slot));
    return adds.length + drops.length > 0 ? [{ option, value, adds, drops }] : [];
  });
}

/** The cost of modifiers beyond the rule's own, and of replicas. */
export const modifierTable: readonly ModifierCost[] = [
  ...modifierNotes.flatMap(({ costs }) => costs),
  {
    option: "`replicas`, for each further one",
    examples: [{ replicas: Array.from({ length: 16 }, () => ({})) }],
    dispatches: 0,
    state: "the rule's",
    moved: "the rule's",
  },
];

/** Modifiers, by their names in code and JSON, and their cost. */
function modifierRows(): readonly (readonly string[])[] {
  const rows = modifiers.flatMap(({ name, key, type }, at) =>
    modifierNotes[at]!.costs.map(({ option, ...cost }, index) => {
      const suffix = /, .*$/.exec(option)?.[0] ?? "";
      const json = type === undefined ? `"${key}"` : `"${key}": { "type": "${type}" }`;
      return index === 0
        ? [`\`${name}\`${suffix}`, `\`${json}\``, ...costCells(cost)]
        : [option, "", ...costCells(cost)];
    }),
  );
  const { option, ...replicas } = modifierTable.at(-1)!;
  return [...rows, [option, '`"replicas"`', ...costCells(replicas)]];
}

const costCells = ({ dispatches, state, moved }: Omit<ModifierCost, "option" | "examples">) => [
  `${dispatches}`,
  state,
  moved,
];

/** docs/rules.md. */
export function ruleTableMarkdown(): string {
  return `# Rules

fallline has ${rules.length} rules. Each is a function that makes the config of an optimizer, with the options [below](#options):

\`\`\`js
import { adamw, createCpuOptimizer, modifiers, noDecay, schedules } ${library};
const tensors = [
  { name: "layer.weight", shape: [64, 32] },
  { name: "layer.bias", shape: [32] },
];
const config = adamw({
  lr: schedules.cosine({ base: 3e-4, steps: 1000 }),
  groups: noDecay(tensors), // no weight decay for biases
  modifiers: [modifiers.clipGlobalNorm({ maxNorm: 1 }), modifiers.ema({ decay: 0.999 })],
});
const optimizer = createCpuOptimizer(tensors, config);
console.log(optimizer.slots.join(" ")); // → m v ema
\`\`\`

In JSON the same config is \`{ "rule": "adamw", "lr": { "type": "cosine", … }, "clip": { … }, "ema": { … } }\`; \`readConfig\` reads it.
A rule of your own is a [custom rule](custom_rules.md).

## Cost of a step

A step is one pass in one submission. Its number of dispatches depends on the rule's class, not on the number of tensors; only matrix
products are dispatched matrix by matrix.

${markdownTable(["class", "what the update needs", "dispatches"], classes)}

The table below assumes default options. State and bytes moved are per parameter, in float32. The update reads parameter, gradient
and slots, and writes parameter and slots; \`measure\` reads all of them once more (a compiler may drop the load of a slot that
\`measure\` does not use). For \`lamb\`, \`muon\`, \`prodigy\` and \`dadaptAdam\` it also writes the slots that do not depend on the sums, in place
of the update, which for \`lamb\` and \`muon\` then reads no gradient.

${markdownTable(["rule", "class", "slots", "state", "moved", "dispatches", "source"], ruleTable().map(ruleCells))}

\`adafactor\` keeps the second moment of a matrix factored, as the means of its rows and columns, which takes one more dispatch.

\`muon\` recomputes \`orthogonal\` in every update and does not save it. It multiplies matrices of one shape in the same dispatches,
whatever their number, and of symmetric products only a triangle. Its ${jordan.length} Newton–Schulz steps take ${jordan.length}·n²·(3m + n)/2 multiplications,
where n is the shorter side of the matrix and m the longer. From m = 2n on, most steps are taken on the n × n Gram matrix alone, which
takes n²·(3m + 7n). With \`polarExpress\` each step has its own coefficients, which bring singular values closer to 1.
torch.optim.Muon runs its steps in bfloat16 and fallline in float32, so their trajectories differ by about 1e-3. The rate is multiplied
by √max(1, outputs / inputs). A tensor's \`layout\` says which side of a matrix is the output: "in-out", the default, is the layout of
the library's models, of Keras and of \`loadTorch\` with \`transpose\`; "out-in" is that of torch.nn.Linear.

## Modifiers

A modifier changes what any rule does with a gradient or a parameter. Give them in \`modifiers\`, in any order; they always take effect
in the order of the table.

${markdownTable(
  ["modifier", "effect", "source"],
  modifierNotes.map(({ call, effect, source }) => [`\`${call}\``, effect, source]),
)}

What they add to the cost of a step:

${markdownTable(["modifier", "in JSON", "dispatches", "state", "moved"], modifierRows())}

Clipping and \`lossScale\` turn \`skipNonFinite\` on. Modifiers that need the norm share its two dispatches, so global-norm clipping,
skipping and loss scaling together add 2. Groups with the same rule and flags share all dispatches; another rule, or other flags, add
those of that rule. Each kernel that reads gradients runs once for each such rule, and once for each pair of external buffers, so with
two rules the norm takes 3.

## Groups

A group gives some tensors hypers, schedules or a rule of their own.

- **Inheritance.** A hyper that a group does not name comes from the optimizer (or the optimizer's \`fallback\`) and follows it when
  that changes by \`set\`, a sweep or a replica.
- **Fallbacks.** \`muon\` takes only matrices; a group's other tensors go to its \`fallback\` rule. What a group without a \`rule\`
  names holds for all its tensors, where their rule has that hyper: \`lr: 0\` or \`weightDecay: 0\` also holds for the biases. A rate that
  suits matrices rarely suits biases, so use \`lrScale\`, or give the group a \`fallback\`, whose options take precedence.
- **Rules.** In a group with a \`rule\`, hypers are those of that rule, and its \`fallback\` has its own.
- **Numbering.** \`freeze\`, \`thaw\`, \`set\` and \`hyper\` count groups as the config does; after them comes the group of all tensors
  that no group names, then the tensors in fallbacks, group by group. \`frozen\` in a fallback freezes those alone.
- **Frozen groups.** Bias correction and a rule's first update go by the updates that a group took part in, as torch counts steps for
  each parameter: a group thawed after 1,000 steps starts like a fresh optimizer. Schedules and averages of the parameters go by the
  optimizer's step.
- **Replicas.** \`replicas: [{}, { groups: [{ lr: 0.1 }], fallback: { lr: 0.01 } }]\` gives a replica hypers of its own in a group or in
  the fallback.
- **Checkpoints.** \`loadCheckpoint\` restores what was set, frozen and thawed if the saved optimizer was created with the same hypers,
  groups and freezing; otherwise the new config's hypers and freezing stay. \`loadCheckpoint(optimizer, bytes, { hypers: "saved" })\`, or
  \`"config"\`, decides. Groups may be cut differently as long as each tensor keeps its rule and the tensors of a group have made equally
  many updates.

## Rows in use

\`setRows\` changes how many rows of a tensor are in use, for points or embeddings that come and go. The tensor's shape says how many rows
there is room for. Unused rows take no update and are neither read nor saved. Nothing is compiled or moved, and steps take no longer.

\`\`\`js
import { adam, createCpuOptimizer, setRows } ${library};
const optimizer = createCpuOptimizer({ points: [1000, 2] }, adam());
await setRows(optimizer, "points", 100);
await setRows(optimizer, "points", 101, [0.5, 0.25]); // one more row, which starts here
const { points } = await optimizer.read();
console.log(points.length, points.slice(-2).join()); // → 202 0.5,0.25
\`\`\`

New rows start with fresh state; bias correction goes on. Scalars, matrices under \`muon\` and stacks of matrices under \`adafactor\` have a
fixed number of rows.

## Options

Every number may be a [schedule](schedules.md). After each option come its default and what it may be.

${rules.map(optionsLine).join("\n")}

This page is generated: \`npm run docs\` writes it from the registry, \`test/unit/rules_doc.test.ts\` compares the two, and
\`test/gpu/counts.test.ts\` compares the dispatches with those that a device receives.
`;
}

const classes: readonly (readonly string[])[] = [
  ["E", "only the element", "1: the update"],
  ["T", "sums over each tensor", "3: `measure`, `conclude`, the update"],
  ["R", "sums over all tensors", "3: `measure`, `conclude`, the update"],
  [
    "M",
    "products of matrices",
    "`measure`, `conclude`, `prepare`, the update, and the products of Newton–Schulz for the matrices of each shape",
  ],
];

function ruleCells(row: RuleRow): readonly string[] {
  const { vectors, perShape } = row;
  const bytes = (field: "state" | "moved") =>
    vectors ? `≈ ${row[field]}; of vectors ${vectors[field]}` : `${row[field]}`;
  return [
    `\`${row.name}\``,
    row.class,
    slotsCell(row),
    bytes("state"),
    `${bytes("moved")}${perShape ? " and the products" : ""}`,
    `${row.dispatches}${vectors ? `; ${vectors.dispatches} for vectors alone` : ""}${perShape ? ` + ${perShape[0]} a shape, ${perShape[1]} of long ones` : ""}`,
    row.source,
  ];
}

function slotsCell({ slots, changes }: RuleRow): string {
  const listed = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  const changed = changes.map(({ option, value, adds, drops }) => {
    const how = typeof value === "number" && value !== 0 ? option : `${option}: ${value}`;
    return [
      ...(adds.length > 0 ? [`${listed(adds)} with \`${how}\``] : []),
      ...(drops.length > 0 ? [`no ${listed(drops)} with \`${how}\``] : []),
    ].join(", ");
  });
  return [slots.length > 0 ? listed(slots) : "none", ...changed].join("; ");
}

function optionsLine({ name, hypers, flags, only }: Rule): string {
  const numbers = Object.entries(hypers).map(
    ([hyper, { default: standard, range }]) =>
      `\`${hyper}\` ${shortNumber(standard)} (${shortRange(describeRange(range))})`,
  );
  const booleans = Object.entries(flags).map(([flag, standard]) => `\`${flag}\` ${standard}`);
  if (only) booleans.push(`\`fallback\` { rule, … } for tensors that are not ${only.what}`);
  return `- \`${name}\`: ${[...numbers, ...booleans].join(", ")}`;
}

/** 0.001 → 1e-3 */
const shortNumber = (value: number) => (value !== 0 && Math.abs(value) < 0.01 ? value.toExponential() : `${value}`);

/** A finite number is allowed unless stated otherwise. */
const shortRange = (text: string) => text.replace(/^a finite number /, "").replace(/^a whole number/, "whole");

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
