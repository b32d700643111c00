// The page of rules (docs/rules.md, which `npm run docs` writes): what a step of each rule keeps, moves and dispatches,
// computed from the registry, and every option with its default and range. test/gpu/counts.test.ts holds the dispatches to
// what a device is asked for.
import type { ModifierCost } from "../modifier.ts";
import { modifiers } from "../modifiers/index.ts";
import { newtonSchulz } from "../newton_schulz.ts";
import { describeRange } from "../options.ts";
import type { Rule } from "../rule.ts";
import { rules } from "../rules/index.ts";
import { type Options, optionSets } from "./option_sets.ts";

/** Elementwise, with sums over each tensor, with sums over all tensors, with matrix products. */
export type RuleClass = "E" | "T" | "R" | "M";

/** Of one step; bytes are by parameter. */
export interface Cost {
  /** Bytes that are kept from step to step. */
  readonly state: number;
  /** Bytes read and written, as the kernels' text has it: compilers may leave out what a pass loads and does not use. */
  readonly moved: number;
  readonly dispatches: number;
}

/** What one option, alone, changes about the slots that are kept. */
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
  /** Further dispatches for each matrix, whose products `moved` leaves out. */
  readonly perMatrix: number;
  /** Of a rule that factors matrices: what vectors cost. */
  readonly vectors: Cost | undefined;
  readonly source: string;
}

export function ruleTable(): readonly RuleRow[] {
  return rules.map((rule) => {
    const slots = slotsUnder(rule, {});
    const perMatrix = rule.orthogonalises ? 3 * newtonSchulz.steps : 0;
    return {
      name: rule.name,
      class: classOf(rule),
      slots,
      changes: slotChanges(rule),
      ...costOf(rule, slots, rule.factored !== undefined),
      perMatrix,
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

/** The slots that a rule keeps when these options are away from their defaults. */
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

/** A float32 of each parameter for whatever a pass loads or stores; the means of a factored slot are next to nothing. */
function costOf({ reduction, factored, orthogonalises }: Rule, slots: readonly string[], matrices: boolean): Cost {
  const means = matrices && factored && slots.includes(factored.slot);
  const kept = slots.length - (means ? 1 : 0);
  // p, g and the slots
  const loaded = 2 + kept;
  const update = loaded + 1 + kept;
  const measure = reduction ? loaded : 0;
  // Along the rows and along the columns, p and g each time.
  const factor = means ? 4 : 0;
  const prepare = orthogonalises ? loaded + 1 : 0;
  return {
    state: 4 * kept,
    moved: 4 * (factor + measure + prepare + update),
    dispatches: 1 + (means ? 1 : 0) + (reduction ? 2 : 0) + (orthogonalises ? 1 : 0),
  };
}

/** What modifiers cost beside the rule's own, and replicas. */
export const modifierTable: readonly ModifierCost[] = [
  ...modifiers.flatMap(({ costs }) => costs),
  {
    option: "`replicas`, for each further one",
    examples: [{ replicas: Array.from({ length: 16 }, () => ({})) }],
    dispatches: 0,
    state: "the rule's",
    moved: "the rule's",
  },
];

/** docs/rules.md. */
export function ruleTableMarkdown(): string {
  return `# Rules

\`npm run docs\` writes this page from the registry; \`test/unit/rules_doc.test.ts\` holds it to that, and
\`test/gpu/counts.test.ts\` holds the dispatches to what a device is asked for.

A step is one pass in one submit. How many dispatches it takes goes by the rule's class and not by the number of tensors;
only products of matrices are dispatched matrix by matrix.

${markdownTable(["class", "what the update needs", "dispatches"], classes)}

The table holds under each rule's default options. State and bytes moved are by parameter, in float32. An update reads the
parameter, the gradient and the slots, and writes the parameter and the slots; \`measure\` reads all of them once more. That
is what the kernels' text says: where \`measure\` has no use for a slot, a compiler may leave its load out.

${markdownTable(["rule", "class", "slots", "state", "moved", "dispatches", "source"], ruleTable().map(ruleCells))}

adafactor's slot is factored: of a matrix it holds the means of rows and columns, which one more dispatch moves. muon's
\`orthogonal\` is made anew in each update and is not saved. Each of its ${newtonSchulz.steps} Newton–Schulz steps takes n²·(2m + n)
multiplications, n being the matrix's shorter side and m the longer. torch.optim.Muon makes these steps in bfloat16, here they
are in full precision: trajectories recorded with stock PyTorch differ by about 1e-3. Its rate is multiplied by
√max(1, outputs / inputs). Which side of a matrix is the output a tensor says with \`layout\`: "in-out", the default, is how
the models of this library, Keras and \`loadTorch\` with \`transpose\` have it, "out-in" is how torch.nn.Linear keeps weights.

## Modifiers

What modifiers add to a step of any rule, in the order in which they come into effect:

${markdownTable(["option", "dispatches", "state", "moved"], modifierTable.map(modifierCells))}

Clipping of any type and \`lossScale\` turn \`skipNonFinite\` on. What needs the norm shares its two dispatches: clipping by
the global norm, skipping and loss scaling together add 2. Groups of one rule and the same flags share all dispatches; a
group with a rule or flags of its own adds that rule's. Every kernel that goes over gradients is dispatched once for each
such rule, and where tensors lie in buffers of the caller's once for each pair of buffers: with two rules the norm takes 3.

## Groups

A group is all of its tensors, whichever rule they go to:

- A hyper that a group does not name it inherits, from the optimizer or from the optimizer's \`fallback\`, and follows it
  when that is varied, edited, set or given by a replica. The complete config names only what is a group's own.
- What a group without a \`rule\` of its own names goes to every rule of it that has the hyper: \`lr: 0\` or
  \`weightDecay: 0\` beside \`muon\` holds for the biases that went to its fallback too. A rate that suits matrices suits
  their biases rarely: say \`lrScale\`, or give the group a \`fallback\` of its own, whose options come first.
- Beside a \`rule\`, hypers are that rule's, and its \`fallback\` has its own.
- \`freeze\`, \`thaw\`, \`set\` and \`hyper\` count groups as the config does; the tensors that no group names come behind
  them. Further indices mean what went to fallbacks alone, group by group; \`frozen\` in a fallback freezes it alone.
- Bias correction, what a rule carries and its first update go by the updates that a group has taken part in, as torch counts
  steps for each parameter: thawed after 1,000 steps it begins as a fresh optimizer does. Schedules, and the
  averages of the parameters, go by the optimizer's step.
- \`replicas: [{}, { groups: [{ lr: 0.1 }], fallback: { lr: 0.01 } }]\` gives a replica hypers of its own in a group or
  in the fallback.
- \`loadCheckpoint\` restores what was set, frozen and thawed where the optimizer that was saved was created with the same hypers,
  groups and freezing; a new config's own hypers and freezing stay. \`loadCheckpoint(optimizer, bytes, { hypers: "saved" })\` or \`"config"\`
  chooses. Groups may be cut anew: each tensor must keep its rule, and the tensors of a group must have made as many
  updates.

## Options

Every number may be a schedule. The default is followed by what is allowed.

${rules.map(optionsLine).join("\n")}
`;
}

const classes: readonly (readonly string[])[] = [
  ["E", "nothing but the element", "1: the update"],
  ["T", "sums over each tensor", "3: `measure`, `conclude`, the update"],
  ["R", "sums over all tensors", "3: `measure`, `conclude`, the update"],
  [
    "M",
    "products of matrices",
    "`measure`, `conclude`, `prepare`, the update, and 3 for each Newton–Schulz step of a matrix",
  ],
];

function ruleCells(row: RuleRow): readonly string[] {
  const { vectors, perMatrix } = row;
  const bytes = (field: "state" | "moved") =>
    vectors ? `≈ ${row[field]}; of vectors ${vectors[field]}` : `${row[field]}`;
  const products = perMatrix > 0;
  return [
    `\`${row.name}\``,
    row.class,
    slotsCell(row),
    bytes("state"),
    `${bytes("moved")}${products ? " and the products" : ""}`,
    `${row.dispatches}${vectors ? `; ${vectors.dispatches} for vectors alone` : ""}${products ? ` + ${perMatrix} a matrix` : ""}`,
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

const modifierCells = ({ option, dispatches, state, moved }: ModifierCost) => [option, `${dispatches}`, state, moved];

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

/** What is allowed is a finite number if nothing else is said. */
const shortRange = (text: string) => text.replace(/^a finite number /, "").replace(/^a whole number/, "whole");

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
