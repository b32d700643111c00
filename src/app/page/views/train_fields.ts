// The settings of the view that trains.
import { OptionError } from "../../../base/errors.ts";
import { choice, type LabOption, number, whole } from "../../../lab/experiments/experiment.ts";
import { field, type State, select } from "../fields.ts";
import { jobFields } from "./job.ts";
import { kinds, parseRunConfig, parseSchedule, sources } from "./train_run.ts";

/** An option for text that is empty or passes `check`. */
function text(meaning: string, allowed: string, check: (given: string) => void = () => {}): LabOption<string> {
  return {
    meaning,
    kind: "word",
    allowed,
    default: "",
    read(name, value) {
      if (typeof value !== "string") throw new OptionError(`${name} is not text; it must be ${allowed}`);
      if (value !== "") check(value);
      return value;
    },
  };
}

export const fields = {
  data: select("data", choice("what the network learns", sources, "mnist")),
  ...jobFields,
  schedule: field(
    "schedule (JSON)",
    text("a schedule in place of the learning rate and its warm-up and decay", "a schedule as JSON", parseSchedule),
    { type: "box", wide: true },
  ),
  every: field("test every", whole("steps between tests; 0 for one at the end", 100, { min: 0, max: 1e6 })),
  sharpness: field(
    "sharpness every",
    whole("steps between measurements of the largest curvature; 0 for never", 0, { min: 0, max: 1e6 }),
  ),
  factor: field("rate ×", number("multiplies the learning rate, even during a run", 1, { above: 0, max: 1e6 }), {
    type: "slider",
    from: 0.01,
    to: 100,
    log: true,
  }),
  target: field("column to predict", text("the column of a table to predict", "a column's name or number"), {
    type: "none",
  }),
  kind: field("as", choice("what the column to predict holds", kinds, "auto"), { type: "none" }),
  config: field(
    "run config",
    text("a whole run config in place of the fields", "a run config as JSON", parseRunConfig),
    { type: "none" },
  ),
};
export type TrainState = State<typeof fields>;
