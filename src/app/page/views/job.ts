// Shared by the views that train: the fields of a run, and the numbers shown while it runs.
import { refusal } from "../../../base/errors.ts";
import { short } from "../../../base/short.ts";
import { type JobOptions, jobDefaults, usualRate } from "../../../lab/defaults.ts";
import { choice, type LabOption, number, whole } from "../../../lab/experiments/experiment.ts";
import { readRule } from "../../../optimizer/read_config.ts";
import { rules } from "../../../rules/index.ts";
import { h } from "../elements.ts";
import { type Fields, field, type State, select } from "../fields.ts";
import type { Page } from "../view.ts";

const layers: LabOption<string> = {
  meaning: "numbers of inputs, of units in each hidden layer, and of classes",
  kind: "word",
  allowed: "whole numbers joined by hyphens, such as 784-128-10",
  default: jobDefaults.model,
  read(name, value) {
    if (typeof value === "string" && /^\d+(-\d+)+$/.test(value)) return value;
    throw refusal(name, value, this.allowed);
  },
};

export const jobFields = {
  model: field("model", layers, { type: "box", wide: true }),
  rule: select(
    "rule",
    choice(
      "how a gradient becomes a step",
      rules.map(({ name }) => name),
      jobDefaults.rule,
    ),
  ),
  lr: field("learning rate", number("how far a step goes", usualRate(readRule("rule", jobDefaults.rule)), { min: 0 })),
  batch: field("batch", whole("examples per step", jobDefaults.batch, { min: 1, max: 60_000 })),
  steps: field("steps", whole("how many steps the run takes", jobDefaults.steps, { min: 1, max: 1e6 })),
  seed: field(
    "seed",
    whole("fixes everything that is drawn at random", jobDefaults.seed, { min: 0, max: Number.MAX_SAFE_INTEGER }),
  ),
} satisfies Fields;

type JobState = State<typeof jobFields>;

export const jobOf = ({ model, rule, lr, batch, steps, seed }: JobState): JobOptions => ({
  model,
  rule,
  lr,
  batch,
  steps,
  seed,
});

/** Sets the rate to the usual one for a rule when the rule changes, unless the rate changed with it. */
export function followRule(page: Page<JobState>): (state: JobState) => void {
  let { rule, lr } = page.state;
  return (state) => {
    const isNew = state.rule !== rule && state.lr === lr;
    ({ rule, lr } = state);
    if (isNew) page.set({ lr: usualRate(readRule("rule", state.rule)) });
  };
}

/** Numbers with names, shown during a run. */
export class Numbers {
  readonly element = h("dl", { class: "numbers" });
  readonly #shown = new Map<string, HTMLElement>();

  constructor(...names: readonly string[]) {
    for (const name of names) {
      const value = h("dd", { id: name.replace(/\W/g, "-") }, "–");
      this.#shown.set(name, value);
      this.element.append(h("div", {}, h("dt", {}, name), value));
    }
  }

  show(values: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(values)) this.#shown.get(name)!.textContent = text;
  }

  clear(): void {
    for (const value of this.#shown.values()) value.textContent = "–";
  }
}

/** A number with this many decimals, shortened where a diverging run makes it long. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return "not finite";
  return Math.abs(value) < 1e4 ? value.toFixed(decimals) : short(value);
}
