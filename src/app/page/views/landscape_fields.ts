// The settings of the landscape view, and presets of them.
import { choice, number, whole } from "../../../lab/experiments/experiment.ts";
import { scheduleShapeNames } from "../../../lab/schedule_shapes.ts";
import { field, type State as StateOf, select } from "../fields.ts";
import { canyon, place, racerNames, racers, someOf, surfaceNames } from "./landscape_runs.ts";

const isCanyon = ({ landscape }: Readonly<Record<string, unknown>>) => landscape === canyon;

export const fields = {
  landscape: select("landscape", choice("what is minimised", surfaceNames, "himmelblau")),
  condition: field(
    "condition number",
    number("the largest over the smallest curvature", 100, { min: 1, max: 1e6 }),
    { type: "slider", from: 1, to: 1e4, log: true },
    isCanyon,
  ),
  angle: field(
    "angle",
    number("how far it is rotated, in radians", 0, { min: -10, max: 10 }),
    { type: "slider", from: 0, to: 1.6, step: 0.05 },
    isCanyon,
  ),
  times: field("all rates ×", number("multiplies every rate", 1, { above: 0, max: 1e6 }), {
    type: "slider",
    from: 0.01,
    to: 100,
    log: true,
  }),
  schedule: field("schedules", someOf("how rates change over the run", scheduleShapeNames, "constant"), {
    type: "checks",
    names: scheduleShapeNames,
  }),
  steps: field("steps", whole("how many steps every run takes", 300, { min: 1, max: 5000 })),
  start: field("start x, y", place("where the paths begin; the landscape's own start if empty")),
  flow: select("rule of the cloud", choice("how every point of the cloud moves", racerNames, "sgd")),
  cloud: field("points of the cloud", whole("how many starts flow downhill", 100_000, { min: 4, max: 1e6 })),
  rules: field("rules", racers("which rules run from the start", "sgd,momentum,adam,lion"), { type: "none" }),
};
export type State = StateOf<typeof fields>;

/** A start that lies on no axis of the canyon, turned or not. */
const aside = "-1.3,0.6";

export const presets: readonly { readonly name: string; readonly state: Partial<State> }[] = [
  {
    name: "canyon: where Adam and SGD part ways",
    state: {
      landscape: canyon,
      condition: 100,
      angle: 0,
      start: aside,
      rules: "sgd,momentum,adam",
      flow: "adam",
      steps: 2000,
    },
  },
  {
    name: "the same, rotated",
    state: {
      landscape: canyon,
      condition: 100,
      angle: 0.8,
      start: aside,
      rules: "sgd,momentum,adam",
      flow: "adam",
      steps: 2000,
    },
  },
  { name: "four hollows", state: { landscape: "himmelblau", rules: "sgd,momentum,adam,lion", flow: "momentum" } },
  { name: "bumps", state: { landscape: "rastrigin", rules: "sgd,momentum,adam,lion", flow: "sgd" } },
  { name: "saddle", state: { landscape: "saddle", rules: "sgd,momentum,adam,lion", flow: "sgd", steps: 300 } },
];
/** What a preset does not set. */
export const presetBase: Partial<State> = {
  condition: 100,
  angle: 0,
  times: 1,
  schedule: "constant",
  steps: 300,
  start: "",
};
